"""The currency metabolites: what nearly every reaction takes or gives, and no graph has as a node.

Water, protons, phosphates, nucleotides, redox carriers, coenzyme A, O2, CO2, ammonia and the methyl
donor would join everything with everything. Each source names compounds its own way, hence one list
a naming; whoever reads a source removes what its list names, and nothing else.
"""

from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


METACYC = _words(
    """
    3-5-ADP ACP ADENOSYL-HOMO-CYS ADP AMMONIA AMMONIUM AMP ATP Acceptor BR- CARBON-DIOXIDE CDP CL-
    CMP CO-A CTP Cytochromes-C-Oxidized Cytochromes-C-Reduced Donor-H2 ETR-Quinols ETR-Quinones FAD
    FADH2 FERRICYTOCHROME-B5 FERROCYTOCHROME-B5 FMN FMNH2 GDP GMP GTP HCO3 HYDROGEN-PEROXIDE
    Menaquinols Menaquinones NAD NAD-P-OR-NOP NADH NADH-P-OR-NOP NADP NADPH OXYGEN-MOLECULE
    Ox-NADPH-Hemoprotein-Reductases Ox-Thioredoxin Oxidized-Flavoproteins Oxidized-ferredoxins PAPS
    PPI PROTON Pi Plastoquinols Red-NADPH-Hemoprotein-Reductases Red-Thioredoxin
    Reduced-Flavoproteins Reduced-ferredoxins S-ADENOSYLMETHIONINE SUPER-OXIDE UDP UMP UTP
    Ubiquinols Ubiquinones WATER
    """
)
"""Ids of MetaCyc."""

BIGG = _words(
    """
    h h2o atp adp amp pi ppi gtp gdp gmp ctp cdp cmp utp udp ump nad nadh nadp nadph fad fadh2 fmn
    fmnh2 coa ACP co2 hco3 o2 o2s h2o2 nh4 q8 q8h2 mqn8 mql8 trdox trdrd flxso flxr amet ahcys
    """
)
"""Ids of BiGG without their compartment."""

KEGG = _words(
    """
    C00001 C00002 C00003 C00004 C00005 C00006 C00007 C00008 C00009 C00010 C00011 C00013 C00014
    C00015 C00016 C00019 C00020 C00021 C00027 C00035 C00044 C00055 C00061 C00063 C00075 C00080
    C00105 C00112 C00125 C00131 C00138 C00139 C00144 C00282 C00343 C00390 C00399 C01194 C01352
    C01367 C06262
    """
)
"""Ids of KEGG compounds. Four stand for what drawings mean by them: dATP (C00131) and 3'-AMP
(C01367) for ATP and AMP, C06262 and phosphatidylinositol (C01194, drawn "PI") for phosphate."""

LABELS = _words(
    """
    ADP AMP ATP CMP CO2 CO₂ CTP CoA CoA-SH Diphosphate FAD FADH2 GDP GMP GTP H H+ H2O H2O2 HCO3- H₂O
    NAD NAD(P)+ NAD(P)H NAD+ NADH NADP NADP+ NADPH NH3 O2 O₂ PPi Phosphate Pi S-Adenosylhomocysteine
    S-Adenosylmethionine SAM UDP UMP UTP diphosphate phosphate
    """
)
"""What drawings write beside a metabolite, mostly where they give no id."""

NAMES = frozenset(
    {
        *("H+", "H2O", "ATP", "ADP", "AMP", "GTP", "GDP", "GMP", "CTP", "CDP", "CMP", "UTP", "UDP"),
        *("UMP", "phosphate", "diphosphate", "NAD", "NADH", "NADP(+)", "NADPH", "FAD", "FADH2"),
        *("FMN", "FMNH2", "coenzyme A", "carbon dioxide", "bicarbonate", "oxygen", "ammonium"),
        *("hydrogen peroxide", "S-adenosyl-L-methionine", "S-adenosyl-L-homocysteine"),
    }
)
"""Names of yeast-GEM, whose ids say nothing."""

LISTS: Mapping[str, frozenset[str]] = {
    "metacyc": METACYC, "bigg": BIGG, "kegg": KEGG, "labels": LABELS, "names": NAMES,
}  # fmt: skip
"""By what they are written in."""
