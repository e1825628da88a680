"""The network equals the published one, and is general in layout, channels, length and precision."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stc_core.capture.layout import BODY27, H36M17
from stc_core.model.stcformer import CrissCross, Linear, STCFormer, STCFormerConfig, attend, flipped_mean

HERE = Path(__file__).parent
PARITY = HERE.parents[2] / "shared" / "parity"
TOLERANCE = {torch.float64: 1e-12, torch.float32: 5e-5}
TINY = STCFormerConfig(width=32, blocks=2)
OURS = STCFormerConfig(
    layout=BODY27.name, parts=BODY27.parts, mirror=BODY27.mirror, channels=3, width=32, blocks=2, part_scale=(1.0, 1.0)
)


def network(config: STCFormerConfig, tensors: dict[str, NDArray[np.float64]], dtype: torch.dtype) -> STCFormer:
    model = STCFormer(config)
    model.load_state_dict({key[3:]: torch.tensor(tensors[key]) for key in tensors if key.startswith("sd/")})
    return model.to(dtype).eval()


def parity(name: str) -> dict[str, NDArray[np.float64]]:
    if not (PARITY / name).is_file():
        pytest.skip("the published network's numbers are not here")
    return dict(np.load(PARITY / name))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ["forward.npz", "forward_parts.npz"])
def test_the_forward_pass_equals_the_published_one(name: str, dtype: torch.dtype) -> None:
    truth = parity(name)
    model, x = network(TINY, truth, dtype), torch.tensor(truth["input"]).to(dtype)
    suffix = "f64" if dtype is torch.float64 else "f32"
    with torch.no_grad():
        np.testing.assert_allclose(model(x), truth[f"output_{suffix}"], rtol=0, atol=TOLERANCE[dtype])
        np.testing.assert_allclose(flipped_mean(model, x), truth[f"tta_{suffix}"], rtol=0, atol=TOLERANCE[dtype])


def test_gradients_and_three_adam_steps_equal_the_published_ones() -> None:
    truth = parity("train_step.npz")
    model = network(TINY, truth, torch.float64)
    x, joints = torch.tensor(truth["input"]).double(), torch.tensor(truth["gt_3D"]).double()
    joints[:, :, 0] = 0.0  # the published loop sets the root of the truth to the origin
    optimiser = torch.optim.Adam(model.parameters(), 1e-3, amsgrad=True)
    losses = []
    for step in range(3):
        optimiser.zero_grad()
        loss = (model(x) - joints).norm(dim=-1).mean()
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            for key, value in model.named_parameters():
                np.testing.assert_allclose(
                    value.grad.numpy() if value.grad is not None else 0.0,
                    truth[f"grad_f64/{key}"],
                    rtol=0,
                    atol=1e-12,
                    err_msg=key,
                )
        optimiser.step()
        if step == 0:
            for key, value in model.named_parameters():
                expected = truth[f"param_after1_f64/{key}"]
                np.testing.assert_allclose(value.detach(), expected, rtol=0, atol=1e-9, err_msg=key)
    np.testing.assert_allclose(losses, truth["loss_steps_f64"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ["h36m17", "body27"])
def test_the_forward_pass_equals_the_committed_numbers(name: str, dtype: torch.dtype) -> None:
    """forward_*.npz were made by this network in float64 once it equalled the published one (make_fixture below)."""
    truth = dict(np.load(HERE / f"forward_{name}.npz"))
    model = network(TINY if name == "h36m17" else OURS, truth, dtype)
    with torch.no_grad():
        answer = model(torch.tensor(truth["input"]).to(dtype))
    np.testing.assert_allclose(answer, truth["output_f64"], rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize(("width", "count"), [(256, 4_748_000), (512, 18_933_184)])
def test_parameter_counts_are_the_published_ones(width: int, count: int) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in STCFormer(STCFormerConfig(width=width)).parameters()) == count


def test_the_networks_default_layout_is_human36ms() -> None:
    assert (TINY.parts, TINY.mirror) == (H36M17.parts, H36M17.mirror)


@pytest.mark.parametrize("frames", [1, 2, 9, 40])
@pytest.mark.parametrize("config", [TINY, OURS])
def test_any_length_layout_and_channel_count_works(config: STCFormerConfig, frames: int) -> None:
    x = torch.randn(2, frames, len(config.parts), config.channels)
    assert STCFormer(config).eval()(x).shape == (2, frames, len(config.parts), 3)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
def test_half_precision_stays_near_single(dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(0)
    model, x = STCFormer(OURS).eval(), torch.randn(1, 5, 27, 3)
    with torch.no_grad():
        single = model(x)
        half = model.to(dtype)(x.to(dtype)).float()
    assert (half - single).abs().max() < tolerance * single.abs().max()


def test_up_is_one_more_landmark_and_mirrors_onto_itself() -> None:
    torch.manual_seed(0)
    model = STCFormer(replace(OURS, up=True)).double().eval()
    x = torch.randn(2, 5, len(OURS.parts), OURS.channels, dtype=torch.double)
    plain = STCFormer(OURS).double().eval()
    plain.load_state_dict({key: value for key, value in model.state_dict().items() if not key.startswith("up_head")})
    with torch.inference_mode():
        both = flipped_mean(model, x)
        assert torch.equal(model(x)[:, :, :-1], plain(x))
        mirrored = x[..., list(OURS.mirror), :] * torch.tensor([-1.0, 1.0, 1.0][: OURS.channels])
        up = flipped_mean(model, mirrored)[:, :, -1]
    assert torch.allclose(up, both[:, :, -1] * torch.tensor([-1.0, 1.0, 1.0]), atol=1e-12)


def test_the_flipped_mean_of_a_mirrored_person_is_the_mirrored_answer() -> None:
    torch.manual_seed(0)
    model, x = STCFormer(OURS).double().eval(), torch.randn(1, 5, 27, 3).double()
    sign = torch.tensor([-1.0, 1.0, 1.0])
    mirrored = x[..., list(OURS.mirror), :] * sign
    with torch.no_grad():
        expected = flipped_mean(model, x)[..., list(OURS.mirror), :] * sign
        assert torch.allclose(flipped_mean(model, mirrored), expected, atol=1e-12)


def test_training_drops_or_doubles_the_part_table() -> None:
    torch.manual_seed(0)
    attention = STCFormer(OURS).blocks[0].get_submodule("stc_att").train()
    assert isinstance(attention, CrissCross)
    table = attention.emb(attention.parts)[:, None]
    drawn = [attention._part_table() for _ in range(40)]
    dropped = sum(bool((d == 0).all()) for d in drawn)
    assert 5 < dropped < 35 and all(torch.equal(d, 2 * table) for d in drawn if d.any())


def softmax_attention(qk: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """The definition: in branch 0 over landmarks, in branch 1 over frames."""
    q, k = qk.unbind(3)
    scale, mixed = (8 * v.shape[-1]) ** -0.5, []
    for branch, (ask, answer) in enumerate(
        (("btihd,btjhd->bthij", "bthij,btjhd->btihd"), ("bikhd,bjkhd->bkhij", "bkhij,bjkhd->bikhd"))
    ):
        shares = (torch.einsum(ask, q[..., branch, :], k[..., branch, :]) * scale).softmax(-1)
        mixed.append(torch.einsum(answer, shares, v[..., branch, :]))
    return torch.stack(mixed, -2)


@pytest.mark.parametrize(("frames", "landmarks", "d"), [(1, 2, 1), (3, 4, 2), (9, 27, 8), (40, 5, 3)])
def test_attention_on_processors_is_softmax_attention_and_so_are_its_gradients(
    frames: int, landmarks: int, d: int
) -> None:
    """Short sequences are put together and long ones are not; heads' channels fill 16 bytes or do not."""
    torch.manual_seed(0)
    qk = (3.0 * torch.randn(2, frames, landmarks, 2, 8, 2, d, dtype=torch.float64)).requires_grad_()
    v = torch.randn(2, frames, landmarks, 8, 2, d, dtype=torch.float64, requires_grad=True)
    wanted = torch.randn_like(v)
    ours, truth = attend(qk, v), softmax_attention(qk, v)
    torch.testing.assert_close(ours, truth, rtol=0, atol=1e-12)
    for found, expected in zip(
        torch.autograd.grad(ours, (qk, v), wanted), torch.autograd.grad(truth, (qk, v), wanted), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_on_processors_stays_finite_whatever_the_logits(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    qk = (1e3 * torch.randn(1, 9, 27, 2, 8, 2, 8)).to(dtype).requires_grad_()
    v = torch.randn(1, 9, 27, 8, 2, 8).to(dtype).requires_grad_()
    mixed = attend(qk, v)
    mixed.sum().backward()
    assert mixed.isfinite().all() and mixed.abs().max() <= 1.02 * v.abs().max()
    assert qk.grad is not None and qk.grad.isfinite().all() and v.grad is not None and v.grad.isfinite().all()


def test_the_ways_of_other_devices_and_of_half_precision_agree_with_the_processors() -> None:
    """float16 goes the way of other devices, which fused attention calculates."""
    torch.manual_seed(0)
    qk, v = torch.randn(2, 9, 27, 2, 8, 2, 8), torch.randn(2, 9, 27, 8, 2, 8)
    torch.testing.assert_close(attend(qk.half(), v.half()).float(), attend(qk, v), rtol=0, atol=5e-3)


@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_linear_in_every_precision(bias: bool) -> None:
    torch.manual_seed(0)
    layer, x = Linear(32, 48, bias=bias), torch.randn(2, 9, 27, 32)
    expected = torch.nn.functional.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(layer.double()(x.double()).float(), expected, rtol=1e-5, atol=1e-5)


def test_a_width_that_the_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        STCFormerConfig(width=40)


def make_fixture() -> None:
    """Write forward_h36m17.npz and forward_body27.npz: seeded weights and our own float64 answers."""
    for name, config in (("h36m17", TINY), ("body27", OURS)):
        torch.manual_seed(3)
        model, x = STCFormer(config).eval(), torch.randn(1, 4, len(config.parts), config.channels)
        with torch.no_grad():
            answer = model.double()(x.double())
        weights = {f"sd/{key}": value.float().numpy() for key, value in model.state_dict().items()}
        np.savez_compressed(HERE / f"forward_{name}.npz", input=x.numpy(), output_f64=answer.numpy(), **weights)
