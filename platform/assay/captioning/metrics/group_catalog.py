"""The functional groups whose mention in a caption is checked: how each is named, and its graph.

`names` is a regular expression on lower-case text, `pattern` a SMARTS. A name is there if the
expression is found; a group is there if the pattern matches. Names are those of classes ("a
monocarboxylic acid") and of substituents ("4-hydroxyphenyl"); what a trivial name implies is not
asked. The patterns are generous where usage is: an ionised acid still is one.
"""

from dataclasses import dataclass

# A carbon that is no carbonyl's: what makes an O between two of them an ether's.
_PLAIN = "[$([#6;!$([#6]=[O,N,S])]),#14]"


@dataclass(frozen=True)
class Group:
    """A functional group or a ring that captions name."""

    key: str
    names: str
    pattern: str


GROUPS: tuple[Group, ...] = (
    # oxygen
    Group("alcohol", r"\b(?:alcohol|diol|triol|tetrol)s?\b", "[OX2H,OX1-][CX4]"),
    Group("phenol", r"phenols?\b|catechols?\b", "[OX2H,OX1-]c"),
    Group("ether", r"\b(?<!crown )(?:di)?ethers?\b", f"[OX2]({_PLAIN}){_PLAIN}"),
    Group("methoxy", r"(?<!carboxy)(?<!fluoro)(?<!phenyl)methoxy", "[CH3][OX2][#6,#7]"),
    Group("aldehyde", r"aldehydes?\b|\bformyl", "[CX3;H1,H2]=O"),
    Group("ketone", r"ketones?\b", "[#6][#6X3](=O)[#6]"),
    Group(
        "carboxylic acid",
        r"(?:carboxylic|amino|fatty)[- ]acids?\b(?! (?:di)?(?:amide|ester)| anhydride| deriv)"
        r"|\bcarboxy\b",
        "[CX3](=O)[OX2H,OX1-]",
    ),
    Group(
        "ester",
        r"(?<!phosphate )(?<!sulfate )(?<!sulfonate )(?<!phosphoric )\besters?\b",
        "[#6,#15,#16](=O)[OX2][#6]",
    ),
    Group("lactone", r"lactones?\b|macrolides?\b", "[#6X3;R](=O)[#8X2;R]"),
    Group("epoxide", r"epoxides?\b|oxiranes?\b", "[CX4]1[OX2][CX4]1"),
    Group("glycoside", r"glycosides?\b|glucosides?\b|galactosides?\b", "[CX4;R]([OX2;R])[OX2,N,S]"),
    # nitrogen
    Group(
        "amine",
        r"\bamines?\b|\bamino group|\bamino compound",
        "[NX3,NX4+;!$(N-[#6]=[O,S]);!$(N~[!#6;!#1])]",
    ),
    Group("amide", r"(?<!sulfon)(?<!phosphor)amides?\b", "[NX3,NX2-][#6X3,#15,#16]=[OX1,SX1]"),
    Group("lactam", r"lactams?\b", "[#6X3;R](=O)[#7;R]"),
    Group("nitrile", r"nitriles?\b|\bcyano", "C#N"),
    Group("nitro", r"\bnitro(?!s|g|x)|(?<=[a-z-])nitro(?!s|g|x)", "[#7+](=O)[O-]"),
    Group("carbamate", r"carbamates?\b|carbamic", "[#7][#6X3](=O)[OX2,OX1-]"),
    Group("quaternary ammonium", r"quaternary ammonium|ammonium betaine", "[#7+;!$([#7]-[O-])]"),
    # sulfur, phosphorus
    Group("thiol", r"\bthiols?\b", "[SX2H,SX1-]"),
    Group("sulfide", r"(?<!di)(?<!tri)sulfides?\b|thioethers?\b", "[#16X2]([#6])[#6]"),
    Group("disulfide", r"disulfides?\b", "[#16X2][#16X2]"),
    Group("sulfoxide", r"sulfoxides?\b|sulfinyl", "[#16X3]=O"),
    Group("sulfone", r"sulfones?\b|sulfonyl", "[#16X4](=O)=O"),
    Group("sulfonamide", r"sulfonamides?\b", "[#16X4](=O)(=O)[#7]"),
    Group("sulfonic acid", r"sulfonic acid|sulfonates?\b", "[#6][#16X4](=O)(=O)[OX2,OX1-]"),
    Group("sulfate", r"sulfates?\b|\bsulfooxy", "[OX2,OX1-][#16X4](=O)(=O)[OX2,OX1-]"),
    Group("phosphate", r"(?<!thio)phosphates?\b", "[#15X4](=O)([OX2,OX1-])([OX2,OX1-])[OX2,OX1-]"),
    # halogens
    Group("fluorine", r"fluoro(?!phor)|fluorine|fluorides?\b", "[#9]"),
    Group("chlorine", r"chloro(?!phyll|plast)|chlorine|chlorides?\b", "[#17]"),
    Group("bromine", r"bromo|bromine|bromides?\b", "[#35]"),
    Group("iodine", r"\biodo|(?<=[a-z-])iodo|iodine|iodides?\b", "[#53]"),
    # rings
    Group("benzene", r"\bbenzenes?\b|phenyl", "c1ccccc1"),
    Group("pyridine", r"pyridines?\b|pyridyl|pyridin-", "c1ccncc1"),
    Group("pyrimidine", r"pyrimidines?\b|pyrimidin-", "[#6]1[#6][#7][#6][#7][#6]1"),
    Group("imidazole", r"imidazoles?\b|imidazol-", "[#6]1[#7][#6][#6][#7]1"),
    Group("piperidine", r"piperidines?\b|piperidin-", "[NX3,NX4+]1[#6][#6][#6][#6][#6]1"),
    Group(
        "indole", r"(?<!iso)indol(?:es?\b|-)", "[#6]1~[#6]~[#7]~[#6]2~[#6]~[#6]~[#6]~[#6]~[#6]~2~1"
    ),
    Group("quinoline", r"(?<!iso)quinolines?\b", "c1ccc2[#7][#6][#6][#6]c2c1"),
    Group("thiazole", r"(?<!iso)thiazol(?:es?\b|-)", "[#16]1[#6][#7][#6][#6]1"),
    Group("furan", r"\b(?:benzo)?furans?\b|\bfuryl|furan-", "[#8]1[#6][#6][#6][#6]1"),
)
