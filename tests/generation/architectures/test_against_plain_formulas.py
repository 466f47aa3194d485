"""The fast forms of the layers against the formulas as the papers print them."""

import pytest
import torch

from assay.generation.architectures.features import RadialBasis, lengths
from assay.generation.architectures.gnn import _Layer, _Message, _Pairs
from assay.generation.architectures.pairformer import (
    Transition,
    TriangleAttention,
    TriangleMultiplication,
)
from assay.generation.architectures.transformer import Block, _NormalisedScores
from assay.generation.denoiser import Atoms
from assay.generation.space import FreeSpace
from tests.generation.molecules import random_atoms

B, N, C, H = 2, 5, 8, 2


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def pairs_of(atoms: Atoms, radial: RadialBasis, before: Atoms | None = None) -> _Pairs:
    return _Pairs.of(atoms, before, FreeSpace(5), radial)


@pytest.mark.parametrize("conditioned", [False, True])
def test_the_split_edge_layer_is_the_layer_on_the_concatenation(conditioned):
    message, radial = _Message(C, 4), RadialBasis(4)
    atoms, h_BND = random_atoms((N, N)), torch.randn(B, N, C)
    before = random_atoms((N, N), seed=1) if conditioned else None
    pairs = pairs_of(atoms, radial, before)
    x_BN3 = 0.1 * torch.randn(B, N, 3)

    [(fast, _)] = message(h_BND, x_BN3, [pairs])

    to, since = message.ends.weight.chunk(2)
    weights, moved = [to, since, message.edge.weight], atoms.positions_BN3 + x_BN3
    edges = [radial(torch.cdist(moved, moved))]
    if before is not None:
        weights.append(message.before.weight)
        edges.append(radial(torch.cdist(before.positions_BN3, before.positions_BN3)))
    bias = message.ends.bias[:C] + message.ends.bias[C:]
    h = message.norm(h_BND)
    i, j = h.unsqueeze(2).expand(B, N, N, C), h.unsqueeze(1).expand(B, N, N, C)
    whole = torch.cat([i, j, *edges], dim=-1)
    first = torch.nn.functional.linear(whole, torch.cat(weights, dim=1), bias)
    plain = torch.nn.functional.silu(message.second(torch.nn.functional.silu(first)))
    others = ~torch.eye(N, dtype=torch.bool)
    torch.testing.assert_close(fast[:, others], plain[:, others], atol=1e-4, rtol=1e-4)


def test_the_masked_sums_of_a_layer_are_those_of_a_loop():
    layer, radial = _Layer(C, 4), RadialBasis(4)
    atoms = random_atoms((5, 3))
    h_BND, x_BN3 = torch.randn(B, N, C), atoms.positions_BN3
    pairs, still_BN3 = [pairs_of(atoms, radial)], torch.zeros(B, N, 3)
    real = atoms.mask_BN.unsqueeze(2) & atoms.mask_BN.unsqueeze(1) & ~torch.eye(N).bool()
    vectors = x_BN3.unsqueeze(2) - x_BN3.unsqueeze(1)
    distances = lengths(vectors)

    h_fast, x_fast = layer(h_BND, still_BN3, pairs)

    [(m, _)] = layer.message(h_BND, still_BN3, pairs)
    gates = layer.gates(m)
    for b in range(B):
        for i in range(int(atoms.mask_BN[b].sum())):
            others = [j for j in range(N) if real[b, i, j]]
            total = sum(gates[b, i, j, 0].sigmoid() * m[b, i, j] for j in others)
            moved = sum(
                gates[b, i, j, 1] * vectors[b, i, j] / (distances[b, i, j] + 1) for j in others
            )
            h = h_BND[b, i] + layer.update(torch.cat([h_BND[b, i], total]))
            torch.testing.assert_close(h_fast[b, i], h, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(x_fast[b, i], moved, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("outgoing", [True, False])
def test_triangle_multiplication_is_algorithms_12_and_13(outgoing):
    layer = TriangleMultiplication(C, outgoing)
    z, mask = torch.randn(B, N, N, C), random_atoms((5, 3)).mask_BN

    fast = layer(z, mask)

    z_norm = layer.norm(z)
    values, gates = layer.gated(z_norm).chunk(2, dim=-1)
    a, b = (values * gates.sigmoid()).chunk(2, dim=-1)
    both = (mask.unsqueeze(2) & mask.unsqueeze(1)).unsqueeze(-1)
    a, b = a * both, b * both
    index = "bikc,bjkc->bijc" if outgoing else "bkic,bkjc->bijc"
    plain = layer.out(layer.out_norm(torch.einsum(index, a, b))) * layer.gate(z_norm).sigmoid()
    real = both.squeeze(-1)
    torch.testing.assert_close(fast[real], plain[real], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("starting", [True, False])
def test_triangle_attention_is_algorithms_14_and_15(starting):
    layer = TriangleAttention(C, H, starting)
    z, mask = torch.randn(B, N, N, C), random_atoms((5, 3)).mask_BN

    fast = layer(z, mask)

    z_norm = layer.norm(z)
    q, k, v = layer.qkv(z_norm).unflatten(-1, (3, H, C // H)).unbind(3)
    bias, gate = layer.bias(z_norm), layer.gate(z_norm).sigmoid()
    plain = torch.zeros(B, N, N, H, C // H)
    for b in range(B):
        keys = [n for n in range(N) if mask[b, n]]
        for i in range(N):
            for j in range(N):
                if starting:  # q_ij attends to k_ik with bias b_jk
                    pairs, biases = [(i, n) for n in keys], [(j, n) for n in keys]
                else:  # q_ij attends to k_kj with bias b_ki, both at the transposed index
                    pairs, biases = [(n, j) for n in keys], [(n, i) for n in keys]
                for h in range(H):
                    logits = torch.stack(
                        [
                            q[b, i, j, h] @ k[b, *pair, h] / (C // H) ** 0.5 + bias[b, *place, h]
                            for pair, place in zip(pairs, biases, strict=True)
                        ]
                    )
                    values = torch.stack([v[b, *pair, h] for pair in pairs])
                    plain[b, i, j, h] = logits.softmax(0) @ values
    plain = layer.out(plain.flatten(-2) * gate)
    torch.testing.assert_close(fast, plain, atol=1e-5, rtol=1e-4)


def test_attention_is_that_of_normalised_queries_and_keys():
    block, x, bias = Block(C, H), torch.randn(B, N, C), torch.randn(B, H, N, N)
    block.query_norm.weight += 0.3 * torch.randn(C // H)
    block.key_norm.weight += 0.3 * torch.randn(C // H)

    fast = block._attend(x, bias)

    q, k, v = block.qkv(x).unflatten(-1, (3, H, C // H)).permute(2, 0, 3, 1, 4)
    q, k = block.query_norm(q), block.key_norm(k)
    mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    plain = block.out(mixed.transpose(1, 2).flatten(2))
    torch.testing.assert_close(fast, plain, atol=1e-5, rtol=1e-4)


def test_the_gradient_of_normalised_scores_is_that_of_the_formula():
    draw = torch.Generator().manual_seed(0)
    shapes = ((2, H, N, C), (2, H, N, C), (C,))
    given = [
        torch.randn(shape, generator=draw, dtype=torch.float64, requires_grad=True)
        for shape in shapes
    ]

    with torch.enable_grad():
        assert torch.autograd.gradcheck(_NormalisedScores.apply, given)


def test_a_transition_is_algorithm_11():
    layer, z = Transition(C), torch.randn(B, N, N, C)

    gate, value = layer.project(layer.norm(z)).chunk(2, dim=-1)
    plain = layer.out(torch.nn.functional.silu(gate) * value)
    torch.testing.assert_close(layer(z), plain, atol=1e-5, rtol=1e-4)


def test_a_new_block_is_the_identity():
    """Zero-initialised gates: adaLN-Zero."""
    h = torch.randn(B, N, C)

    assert torch.equal(Block(C, H)(h, torch.randn(B, C), torch.zeros(B, H, N, N)), h)


def test_radial_functions_peak_at_their_centres_and_tell_bond_lengths_apart():
    radial = RadialBasis(16)
    centres = -radial.centres_R.clamp(min=1e-6).log()

    assert torch.allclose(radial(centres).diagonal(), torch.ones(16), atol=1e-3)
    single, double = radial(torch.tensor(1.54 / 1.72)), radial(torch.tensor(1.34 / 1.72))
    assert (single - double).abs().max() > 0.2


def test_radial_functions_are_never_subnormal():
    """Products of matrices of such numbers are up to ten times slower on a CPU."""
    values = RadialBasis(32)(torch.linspace(0.0, 12.0, 4001))

    assert values.min() >= torch.finfo(torch.float32).tiny
    assert values.min() < 1e-17
