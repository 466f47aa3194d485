"""AdamW whose moments take 8 bits a number."""

import importlib.util
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from assay.cell import TrainingSettings
from assay.errors import CheckpointError, MachineError
from assay.training import checkpoint
from assay.training.adamw_8bit import _cut, require_8bit_adamw
from assay.training.optimizer import ModelOptimizer
from tests.training.group import losses, together
from tests.training.test_parallel import toy

needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None,
    reason="bitsandbytes is not installed; pip install 'assay-bench[captioning]'",
)
SETTINGS = TrainingSettings(optimizer="adamw_8bit", learning_rate=3e-3, weight_decay=0.1)
CPU = torch.device("cpu")


class Network(nn.Module):
    """A table and a map of more than 4,096 elements each, and what is smaller."""

    def __init__(self, width=70):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(80, width)
        self.inner = nn.Linear(width, width)
        self.head = nn.Linear(width, 1)

    def forward(self, ids):
        return self.head(self.inner(self.table(ids)).tanh())[:, 0]


def trained(settings, steps, network=None, optimizer=None, begin=0):
    network = Network() if network is None else network
    optimizer = optimizer or ModelOptimizer(network, settings)
    values = []
    for step in range(begin, begin + steps):
        ids = torch.arange(16) * 5 + step % 5
        network.zero_grad()
        loss = (network(ids) - (ids / 40 - 1)).square().mean()
        loss.backward()
        optimizer.step(settings.learning_rate)
        values.append(float(loss.detach()))
    return network, optimizer, values


@needs_bitsandbytes
def test_it_learns_as_adamw_with_32_bits_does():
    plain = SETTINGS.model_copy(update={"optimizer": "adamw"})
    _, _, exact = trained(plain, 50)
    _, _, coarse = trained(SETTINGS, 50)

    assert exact[-1] < exact[0] / 10
    assert coarse[0] == exact[0]
    assert max(abs(a - b) for a, b in zip(coarse, exact, strict=True)) < 0.02 * exact[0]


@needs_bitsandbytes
def test_what_is_small_and_tables_have_32_bits():
    _, optimizer, _ = trained(SETTINGS, 1)

    found = optimizer.tensors()

    coarse = {name.split(".", 1)[1] for name, each in found.items() if each.dtype == torch.uint8}
    assert coarse == {"inner.weight"}
    assert found["absmax1.inner.weight"].shape == (1, -(-70 * 70 // 256))
    assert {name.split(".", 1)[1] for name in found if name.startswith("exp_avg.")} == {
        "table.weight", "inner.bias", "head.weight", "head.bias",
    }  # fmt: skip


@needs_bitsandbytes
def test_it_heeds_the_rate_of_a_step_and_decays_matrices_alone():
    network, optimizer, _ = trained(SETTINGS, 1)
    before = network.inner.weight.detach().clone()

    optimizer.step(0.0)
    assert torch.equal(network.inner.weight, before)

    network.inner.weight.grad.zero_()
    still = ModelOptimizer(network, SETTINGS)
    still.step(0.5)
    torch.testing.assert_close(network.inner.weight, before * (1 - 0.5 * 0.1))


@needs_bitsandbytes
def test_a_checkpoint_carries_on_to_the_last_bit(tmp_path):
    whole, _, _ = trained(SETTINGS, 6)
    half, optimizer, _ = trained(SETTINGS, 3)
    kept = checkpoint.Checkpoint(
        {"model": half.state_dict(), "optimizer": optimizer.tensors()}, {"cell_key": "k"}
    )
    checkpoint.save(tmp_path, 3, kept)

    found = checkpoint.load_newest(tmp_path, "k")
    again = Network()
    again.load_state_dict(found.tensors["model"])
    other = ModelOptimizer(again, SETTINGS)
    other.restore(found.tensors["optimizer"])
    trained(SETTINGS, 3, again, other, begin=3)

    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


@needs_bitsandbytes
def test_moments_of_other_shards_are_rounded_once_more():
    """Three shards of a 10 × 90 parameter, of 4, 4 and 2 rows, become one of all rows."""
    from bitsandbytes import functional

    torch.manual_seed(0)
    rows = torch.randn(10, 90)
    of_256 = functional.create_dynamic_map(signed=True)
    absmax_SB, parts = torch.zeros(3, 2), []
    for shard, part in enumerate((rows[:4], rows[4:8], rows[8:])):
        codes, state = functional.quantize_blockwise(part.contiguous(), code=of_256, blocksize=256)
        parts.append(codes)
        absmax_SB[shard, : len(state.absmax)] = state.absmax

    codes, absmax_b = _cut(torch.cat(parts), absmax_SB, of_256, nn.Parameter(rows))

    assert absmax_b.shape == (4,)
    found = functional.dequantize_blockwise(codes, absmax=absmax_b, code=of_256, blocksize=256)
    torch.testing.assert_close(found, rows, rtol=0.1, atol=0.03)


@needs_bitsandbytes
def test_another_model_or_other_8_bits_are_refused():
    _, optimizer, _ = trained(SETTINGS, 1)
    tensors = optimizer.tensors()

    with pytest.raises(CheckpointError, match="another shape than the model"):
        ModelOptimizer(Network(66), SETTINGS).restore(
            {name: each for name, each in tensors.items() if "inner.weight" in name}
        )
    with pytest.raises(CheckpointError, match="a bitsandbytes whose 8 bits stand for other"):
        ModelOptimizer(Network(), SETTINGS).restore({**tensors, "qmap1": tensors["qmap1"] * 2})


@needs_bitsandbytes
def test_where_8_bits_do_not_run_one_sentence_says_so_before_the_first_step(monkeypatch):
    from bitsandbytes.optim import AdamW8bit

    def fail(self):
        raise NotImplementedError("no kernel\nfor this backend")

    monkeypatch.setattr(AdamW8bit, "step", fail)
    with pytest.raises(MachineError, match=r"on device cpu has no 8-bit AdamW \(no kernel for"):
        ModelOptimizer(Network(), SETTINGS)
    monkeypatch.setattr(AdamW8bit, "step", lambda self: None)
    with pytest.raises(MachineError, match="moves a parameter wrongly; use training"):
        require_8bit_adamw(CPU)


def test_without_bitsandbytes_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)

    with pytest.raises(MachineError, match=r"bitsandbytes is not installed; run `pip install"):
        ModelOptimizer(Network(), SETTINGS)
    ModelOptimizer(nn.Linear(3, 3), SETTINGS)  # nothing of it is large


@pytest.mark.slow
@needs_bitsandbytes
@pytest.mark.parametrize("sharding", ["ddp", "fsdp2"])
def test_two_workers_resume_bit_for_bit_and_one_carries_on(sharding, tmp_path):
    """33 and 32 rows of 65 columns: blocks of shards are not those of the whole."""

    def run(workers, storage, until=1.0):
        rest = (sharding, None, 1e9, False, "adamw_8bit")
        return together(workers, toy, str(tmp_path / storage), 30, until, *rest)

    run(1, "one")
    assert run(2, "two") == [30, 30]
    assert run(2, "halves", 0.4) == [12, 12]
    shutil.copytree(tmp_path / "halves", tmp_path / "fewer")
    assert run(2, "halves") == [30, 30]
    assert run(1, "fewer") == [30]

    assert losses(tmp_path / "halves") == losses(tmp_path / "two")
    one = losses(tmp_path / "one")
    assert losses(tmp_path / "two") == pytest.approx(one, abs=0.01 * one[0])
    assert losses(tmp_path / "fewer") == pytest.approx(one, abs=0.01 * one[0])
    (path,) = tmp_path.glob("two/cells/*/checkpoints/step-*30/optimizer.safetensors")
    kept = load_file(path)["absmax2.2.weight"]
    assert kept.shape == ((2, 9) if sharding == "fsdp2" else (1, 17))  # of 33 or of 65 rows
