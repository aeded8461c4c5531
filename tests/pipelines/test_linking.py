"""Names of link kinds, brought to what links say."""

from pipelines.linking import nearest, resolve
from schemas.links import LinkType

DEPLOYMENT = LinkType("Deployment", "Deploys", "is deployed by")
RELATES = LinkType("Relates", "relates to", "relates to")


def test_a_types_name_means_both_directions() -> None:
    found = resolve({"deployment": "joins"}, (), [DEPLOYMENT])
    assert found.kinds == {"deploys": "joins", "is deployed by": "joins"}
    assert found.types == {"deployment": ("deploys", "is deployed by")}
    assert (found.alike, found.unknown) == ({}, [])


def test_the_other_direction_is_chosen_alike_unless_it_is_named() -> None:
    found = resolve({"deploys": "mentions"}, (), [DEPLOYMENT])
    assert found.kinds == {"deploys": "mentions", "is deployed by": "mentions"}
    assert found.alike == {"is deployed by": "deploys"}
    both = {"deploys": "mentions", "is deployed by": "joins"}
    assert resolve(both, (), [DEPLOYMENT]).kinds == both
    assert resolve({"deployment": "joins", "deploys": "mentions"}, (), [DEPLOYMENT]).kinds == {
        "deploys": "mentions", "is deployed by": "joins",
    }  # fmt: skip


def test_a_type_with_one_word_for_both_has_no_other_direction() -> None:
    found = resolve({"relates to": "joins"}, (), [RELATES])
    assert (found.kinds, found.alike, found.unknown) == ({"relates to": "joins"}, {}, [])


def test_what_nobody_knows_is_told() -> None:
    found = resolve({"is parrt of": "joins", "parent": "mentions"}, {"is part of", "parent"}, [])
    assert found.unknown == ["is parrt of"]
    assert nearest("is parrt of", ["is part of", "parent"]) == "is part of"
    assert nearest("board", ["is part of", "parent"]) is None
