import numpy as np
import pytest
import torch

SOME = np.arange(7)
DECODING = {
    "greedy": {"method": "greedy"},
    "beam": {"method": "beam", "beams": 3},
    "sample": {"method": "sample", "temperature": 2.0, "nucleus": 0.9},
    "candidates": {"method": "beam", "beams": 3, "candidates": 3},
}


@pytest.fixture(scope="module")
def bridges(made):
    """A bridge that has learned a little, with each way of decoding."""
    trained = made(gate={"required": False})
    trained.train("generate", 15)
    found = {}
    for name, decoding in DECODING.items():
        bridge = made(decoding={"most_tokens": 10, "batch_size": 4, **decoding})
        bridge.model.load_state_dict(trained.model.state_dict())
        bridge.model.eval()
        found[name] = bridge
    return found


def written(bridge, indices):
    return bridge.generator.captions(bridge.model, bridge.records, indices, lambda *_: None)


@pytest.mark.parametrize("method", list(DECODING))
def test_a_caption_does_not_depend_on_who_else_is_in_its_batch(bridges, method):
    bridge = bridges[method]

    together = written(bridge, SOME)

    assert together == [written(bridge, SOME[k : k + 1])[0] for k in SOME]
    assert together == written(bridge, SOME[::-1].copy())[::-1]
    assert any(together)


def test_it_writes_what_it_would_be_told_is_likeliest(bridges):
    """Without the cache and without padding: token by token from the logits."""
    bridge = bridges["greedy"]
    model, tokenizer = bridge.model, bridge.generator.tokenizer
    batch = bridge.records.batch(SOME[:1])
    tokens_BT, _ = batch.prompts(bridge.generator.padding)
    said = []
    with torch.no_grad():
        x_BTD = model.embedded(tokens_BT, batch)
        for _ in range(10):
            logits = model.language(inputs_embeds=x_BTD, use_cache=False).logits[0, -1]
            said.append(int(logits.argmax()))
            if said[-1] == tokenizer.eos_token_id:
                break
            more = model.language.get_input_embeddings()(torch.tensor([[said[-1]]]))
            x_BTD = torch.cat([x_BTD, more], dim=1)

    assert written(bridge, SOME[:1]) == [tokenizer.decode(said, skip_special_tokens=True).strip()]


def test_graphs_of_others_are_those_of_others(made):
    bridge = made(graphs="shuffled", decoding={"most_tokens": 4, "batch_size": 3})
    seen = []
    bridge.generator.written = lambda model, batch: (
        seen.append(len(batch.graphs.molecule_N)) or [""] * len(batch)
    )
    from assay.captioning.generator import others

    written(bridge, SOME)

    source = others(len(SOME))
    atoms = [len(bridge.records.batch(SOME[k : k + 1]).graphs.molecule_N) for k in source]
    assert seen == [sum(atoms[first : first + 3]) for first in (0, 3, 6)]


def test_progress_is_told(bridges):
    told = []

    bridges["greedy"].generator.captions(
        bridges["greedy"].model, bridges["greedy"].records, SOME, lambda *each: told.append(each)
    )

    assert told == [("captions", 4 / 7), ("captions", 1.0)]
