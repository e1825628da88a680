"""The network equals the published one, and is general in layout, channels, length and precision."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stc_core.capture.landmark_map import BODY27, H36M17
from stc_core.model.stcformer import STCFormer, STCFormerConfig, flipped_mean

HERE = Path(__file__).parent
PARITY = HERE.parents[2] / "shared" / "parity"
TOLERANCE = {torch.float64: 1e-12, torch.float32: 5e-5}
TINY = STCFormerConfig(width=32, blocks=2)
OURS = STCFormerConfig(
    layout=BODY27.name, parts=BODY27.parts, mirror=BODY27.mirror, channels=3, width=32, blocks=2, part_scale=(1.0, 1.0)
)


def network(config: STCFormerConfig, tensors: dict[str, np.ndarray], dtype: torch.dtype) -> STCFormer:
    model = STCFormer(config)
    model.load_state_dict({key[3:]: torch.tensor(tensors[key]) for key in tensors if key.startswith("sd/")})
    return model.to(dtype).eval()


def parity(name: str) -> dict[str, np.ndarray]:
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
                np.testing.assert_allclose(value.grad, truth[f"grad_f64/{key}"], rtol=0, atol=1e-12, err_msg=key)
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
    table = attention.emb(attention.parts)[:, None]
    drawn = [attention._part_table() for _ in range(40)]
    dropped = sum(bool((d == 0).all()) for d in drawn)
    assert 5 < dropped < 35 and all(torch.equal(d, 2 * table) for d in drawn if d.any())


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
