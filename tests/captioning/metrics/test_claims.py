import pytest

from assay.captioning.metrics.claims import claims, sentences


def present(caption):
    return set(claims(caption).present)


def absent(caption):
    return set(claims(caption).absent)


@pytest.mark.parametrize(
    ("caption", "groups"),
    [
        (
            "The molecule is a monocarboxylic acid and a member of phenols.",
            "carboxylic acid|phenol",
        ),
        ("It is a dicarboxylic acid amide.", "amide"),
        ("It is an amino acid ester.", "ester"),
        ("It is a sulfonamide.", "sulfonamide"),
        ("It is an organic thiophosphate.", ""),
        ("It is a phosphate ester.", "phosphate"),
        ("It is a chlorophyll.", ""),
        ("It is a fluorophore of a chloroplast.", ""),
        ("It has a 4-chlorophenyl group.", "chlorine|benzene"),
        ("It has a 4-fluorophenoxy group.", "fluorine"),
        ("It has a methoxy group.", "methoxy"),
        ("It has a carboxymethoxy and a trifluoromethoxy group.", "fluorine"),
        ("It is a member of isoindoles and of 1,2-benzisothiazoles.", ""),
        ("It is 4-chlorobenzonitrile.", "chlorine|nitrile"),
        ("It is a nitrosamine.", ""),
        ("It is 4-nitrophenol.", "nitro|phenol"),
        ("", ""),
    ],
)
def test_names_of_groups_are_found(caption, groups):
    assert present(caption) == set(filter(None, groups.split("|")))


@pytest.mark.parametrize(
    "caption",
    [
        "It is a conjugate base of a benzoic carboxylic acid.",
        "It derives from a phenol.",
        "It is functionally related to an aldehyde.",
        "It is an enantiomer of a (R)-alcohol.",
        "It has a role as an alcohol dehydrogenase inhibitor.",
        "It is obtained by formal condensation of the carboxy group of alanine with methanol.",
        "A drug used as a ketone.",
        "It is used (as the hydrochloride salt) as a drug.",
        "It is isolated from an ester.",
    ],
)
def test_what_is_said_of_something_else_is_no_claim(caption):
    assert len(claims(caption)) == 0


def test_the_sentence_before_and_after_such_a_clause_counts():
    caption = "It is a phenol that is the conjugate base of an amine. It is a ketone."

    assert present(caption) == {"phenol", "ketone"}


def test_what_is_replaced_is_gone_and_what_replaces_it_is_there():
    caption = "It is methane in which the carboxy group is replaced by a nitro group."

    assert present(caption) == {"nitro"}


@pytest.mark.parametrize(
    ("caption", "lacking", "having"),
    [
        ("It lacks a nitrile group.", {"nitrile"}, set()),
        ("It is an ether without aldehyde or ketone functions.", {"aldehyde", "ketone"}, {"ether"}),
        ("It contains no carboxy group, but an ester.", {"carboxylic acid"}, {"ester"}),
        ("It does not contain an amide.", {"amide"}, set()),
        ("It is not a lactone.", {"lactone"}, set()),
        ("It is a phenol devoid of bromine.", {"bromine"}, {"phenol"}),
        ("NO ethers are released.", set(), {"ether"}),
    ],
)
def test_a_denied_group_is_a_claim_of_its_own(caption, lacking, having):
    assert (absent(caption), present(caption)) == (lacking, having)


def test_a_group_both_named_and_denied_counts_as_named():
    found = claims("It has no ketone at C-3. It is a ketone.")

    assert (found.present, found.absent) == ({"ketone"}, frozenset())


def test_a_number_with_full_stops_ends_no_sentence():
    assert len(sentences("It inhibits EC 1.1.1.1 (an alcohol). It is new.")) == 2
