# Makes weights as other tools quantise them, and the floats that these tools (or their formulas) make of them again.
# In: the test data folder. Out: prequantised/NAME/ with config.json (its quantization_config), model.safetensors and
# expected.safetensors, and a text model by bitsandbytes with its golden, the same bytes on every run.
# Needs bitsandbytes 0.50.2, compressed-tensors 0.20.1, mlx 0.32.4 beside the oracle's packages. AWQ and GPTQ have no
# package for CPUs: they are packed here, and read back as AutoAWQ's dequantize_gemm and GPTQModel (convert_gptq_v1_to_v2_format_module, dequantize_weight) do.
# Usage: python tools/oracle/make_prequantised.py -d tests/data

import argparse
import json
import pathlib
import shutil
import tempfile

import bitsandbytes.functional as bnb
import mlx.core as mx
import numpy as np
import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.integrations.finegrained_fp8 import Fp8Dequantize

import make_text_golden

AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


def weight(out, inputs, dtype=torch.float32):
    return torch.randn(out, inputs).to(dtype)


def nf4(kind, nested, dtype, shape=(6, 64)):
    packed, state = bnb.quantize_4bit(weight(*shape, dtype), quant_type=kind, compress_statistics=nested, blocksize=64)
    stored = {"a.weight": packed} | {f"a.weight.{key}": value for key, value in state.as_dict(packed=True).items()}
    config = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": kind}
    return config, stored, {"a.weight": bnb.dequantize_4bit(packed, state)}


def int8():
    packed, sizes, _ = bnb.int8_vectorwise_quant(weight(5, 32, torch.float16))
    stored = {"a.weight": packed, "a.SCB": sizes, "a.weight_format": torch.tensor(0, dtype=torch.uint8)}
    return ({"quant_method": "bitsandbytes", "load_in_8bit": True}, stored,
            {"a.weight": bnb.int8_vectorwise_dequant(packed, sizes)})


def words(values, bits):
    """Rows of numbers -> rows of little-endian 32-bit words."""
    values = np.asarray(values, dtype=np.uint32)
    stream = (values[..., None] >> np.arange(bits, dtype=np.uint32) & 1).reshape(values.shape[0], -1).astype(np.uint8)
    stream = np.pad(stream, ((0, 0), (0, -stream.shape[1] % 32)))
    return torch.from_numpy(np.packbits(stream, axis=1, bitorder="little").view(np.int32).copy())


def awq(zero_point=True):
    out, inputs, group = 16, 64, 32
    q = torch.randint(0, 16, (inputs, out))
    zeros = torch.randint(0, 16, (inputs // group, out)) if zero_point else torch.full((inputs // group, out), 8)
    scales = (torch.rand(inputs // group, out) * 0.1).to(torch.float16)
    pack = lambda v: words(v.reshape(len(v), -1, 8)[:, :, AWQ_ORDER].reshape(len(v), -1).numpy(), 4)
    stored = {"a.qweight": pack(q), "a.scales": scales, "a.bias": torch.randn(out).half()}
    if zero_point:
        stored["a.qzeros"] = pack(zeros)
    floats = (q - zeros.repeat_interleave(group, 0)) * scales.repeat_interleave(group, 0)
    config = {"quant_method": "awq", "bits": 4, "group_size": group, "zero_point": zero_point, "version": "gemm"}
    return config, stored, {"a.weight": floats.T.contiguous(), "a.bias": stored["a.bias"]}


def gptq_v1_zeros(stored, bits, out):
    """Zero points of version 1 as GPTQModel reads them: a one is added to every number of a whole word, so that sums
    carry; to numbers of 3 bits, which cross words, one by one."""
    raised = stored.numpy().view(np.uint32)
    if bits != 3:
        raised = raised + np.uint32(0xFFFFFFFF // (2**bits - 1))
    stream = np.unpackbits(raised.view(np.uint8), axis=1, bitorder="little")[:, :out * bits]
    numbers = (stream.reshape(len(stream), out, bits).astype(np.int64) << np.arange(bits)).sum(axis=2)
    return torch.from_numpy(numbers if bits != 3 else (numbers + 1) & 7)


def gptq(bits, version="gptq", desc_act=False, group=32, zeros=None):
    out, inputs = 32, 64
    size = inputs if group < 0 else group
    q = torch.randint(0, 2**bits, (inputs, out))
    if zeros is None:
        zeros = torch.randint(0, 2**bits, (inputs // size, out))  # as stored, so that the offset carries where it does
    scales = (torch.rand(inputs // size, out) * 0.1).to(torch.float16)
    index = torch.arange(inputs) // size
    if desc_act:
        index = index[torch.randperm(inputs)]
    stored = {"a.qweight": words(q.T.contiguous().numpy(), bits).T.contiguous(), "a.qzeros": words(zeros.numpy(), bits),
              "a.scales": scales, "a.g_idx": index.to(torch.int32)}
    real = gptq_v1_zeros(stored["a.qzeros"], bits, out) if version == "gptq" else zeros
    floats = scales[index] * (q - real[index])
    config = {"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": desc_act, "sym": False}
    if version != "gptq":
        config["checkpoint_format"] = version
    return config, stored, {"a.weight": floats.T.contiguous()}


def gptq_zeros():
    """Zero points 0 among others, written as GPTQModel writes them: ones taken from whole words, which borrow."""
    real = torch.tensor([[0, 5, 0, 0, 7, 0, 0, 0] * 4, [15, 0, 1, 0, 8, 15, 0, 3] * 4])
    lowered = words(real.numpy(), 4).numpy().view(np.uint32) - np.uint32(0x11111111)
    stored = torch.from_numpy(np.unpackbits(lowered.view(np.uint8), axis=1, bitorder="little").reshape(2, 32, 4)
                              .astype(np.int64) << np.arange(4)).sum(dim=2)
    return gptq(4, zeros=stored)


def compressed(form, dtype=torch.bfloat16, shape=(32, 64), actorder=False, **arguments):
    weights = QuantizationArgs(**arguments)
    scheme = QuantizationScheme(targets=["Linear"], weights=weights)
    out, inputs = shape
    groups = {"tensor": (1,), "channel": (out, 1), "group": (out, inputs // (arguments.get("group_size") or 1)),
              "block": (out // 16, inputs // 32)}[arguments["strategy"]]
    state = {"weight": weight(out, inputs, dtype), "weight_scale": (torch.rand(groups) * 0.2 + 0.05).to(dtype)}
    if not weights.symmetric:
        state["weight_zero_point"] = torch.randint(-3, 4, groups, dtype=torch.int8)
    compressor = BaseCompressor.get_value_from_registry(form)
    packed = compressor.compress(state, scheme)
    floats = compressor.decompress(packed, scheme)["weight"]
    group = {"targets": ["Linear"], "weights": json.loads(weights.model_dump_json())}
    config = {"quant_method": "compressed-tensors", "format": form, "config_groups": {"group_0": group},
              "quantization_status": "compressed", "ignore": ["lm_head"]}
    return config, {f"a.{key}": value for key, value in packed.items()}, {"a.weight": floats}


def fp8(block):
    out, inputs = 64, 96
    values = weight(out, inputs).to(torch.float8_e4m3fn)
    scales = torch.rand(out // block[0], inputs // block[1]) if block else torch.rand(1, 1)
    floats = Fp8Dequantize(None)._dequantize_one(values, scales, torch.float32)
    config = {"quant_method": "fp8", "activation_scheme": "dynamic"} | ({"weight_block_size": block} if block else {})
    return (config, {"a.weight": values, "a.weight_scale_inv": scales if block else scales.reshape(())},
            {"a.weight": floats})


def fbgemm():
    values = weight(8, 32).to(torch.float8_e4m3fn)
    scales = torch.rand(8, 1)
    return ({"quant_method": "fbgemm_fp8"},
            {"a.weight": values, "a.weight_scale": scales, "a.input_scale_ub": torch.tensor([1200.0])},
            {"a.weight": values.float() * scales})


def all_f8():
    """Every 8-bit float of both kinds."""
    bytes_ = torch.arange(256, dtype=torch.uint8).reshape(8, 32)
    stored, floats = {}, {}
    for name, kind in (("a", torch.float8_e4m3fn), ("b", torch.float8_e5m2)):
        stored |= {f"{name}.weight": bytes_.clone().view(kind), f"{name}.weight_scale_inv": torch.tensor(1.0)}
        floats[f"{name}.weight"] = bytes_.view(kind).float()
    return {"quant_method": "fp8"}, stored, floats


def to_torch(array):
    kinds = {mx.float16: torch.float16, mx.bfloat16: torch.bfloat16, mx.float32: torch.float32}
    if array.dtype == mx.uint32:
        return torch.from_numpy(np.array(array).view(np.int32).copy()).view(torch.uint32)
    return torch.from_numpy(np.array(array.astype(mx.float32))).to(kinds[array.dtype])


def mlx():
    """A module for each number of bits; two have settings of their own."""
    config, stored, floats = {"group_size": 32, "bits": 4, "mode": "affine"}, {}, {}
    for bits, dtype in ((2, mx.float32), (3, mx.float16), (4, mx.bfloat16), (5, mx.float16), (6, mx.bfloat16),
                        (8, mx.float16)):
        name, group = f"m{bits}", 64 if bits == 8 else 32
        packed = mx.quantize(mx.array(weight(4, 128).numpy()).astype(dtype), group_size=group, bits=bits)
        for key, array in zip(("weight", "scales", "biases"), packed):
            stored[f"{name}.{key}"] = to_torch(array)
        floats[f"{name}.weight"] = to_torch(mx.dequantize(*packed, group_size=group, bits=bits))
        if bits != 4:
            config[name] = {"group_size": group, "bits": bits}
    kernel = weight(6, 3 * 4 * 4, torch.bfloat16).reshape(6, 3, 4, 4)
    stored["language_model.norm.weight"] = floats["model.text_model.norm.weight"] = torch.ones(4)
    stored["language_model.lm_head.weight"] = floats["lm_head.weight"] = torch.ones(4, 4)
    stored["connector.proj.weight"] = floats["model.connector.proj.weight"] = torch.ones(2, 2)
    stored["vision_model.embeddings.patch_embedding.weight"] = kernel.permute(0, 2, 3, 1).contiguous()
    floats["model.vision_model.embeddings.patch_embedding.weight"] = kernel
    return config, stored, floats


INT = {"type": "int"}
FLOAT = {"type": "float", "num_bits": 8}
CASES = {
    "bnb_nf4": lambda: nf4("nf4", False, torch.bfloat16),
    "bnb_nf4_nested": lambda: nf4("nf4", True, torch.float16, (264, 64)),  # more than one block of sizes
    "bnb_fp4_nested": lambda: nf4("fp4", True, torch.float32, (5, 36)),  # a last block that is not whole
    "bnb_int8": int8,
    "awq": awq,
    "awq_symmetric": lambda: awq(False),
    "gptq_2": lambda: gptq(2),
    "gptq_3": lambda: gptq(3),
    "gptq_4": lambda: gptq(4, desc_act=True),
    "gptq_4_v2": lambda: gptq(4, "gptq_v2"),
    "gptq_8_whole": lambda: gptq(8, group=-1),
    "ct_fp8_channel": lambda: compressed("float-quantized", strategy="channel", **FLOAT),
    "ct_fp8_tensor": lambda: compressed("float-quantized", torch.float32, strategy="tensor", **FLOAT),
    "ct_fp8_block": lambda: compressed("float-quantized", strategy="block", block_structure=[16, 32], **FLOAT),
    "ct_w4a16": lambda: compressed("pack-quantized", strategy="group", group_size=16, num_bits=4, **INT),
    "ct_w4a16_uneven": lambda: compressed("pack-quantized", torch.float16, (20, 48), strategy="group", group_size=16,
                                          num_bits=4, symmetric=False, **INT),
    "ct_w3_channel": lambda: compressed("pack-quantized", strategy="channel", num_bits=3, symmetric=False, **INT),
    "ct_w8a8": lambda: compressed("int-quantized", strategy="channel", num_bits=8, **INT),
    "ct_w8_uneven": lambda: compressed("int-quantized", torch.float32, strategy="channel", num_bits=8, symmetric=False,
                                       **INT),
    "fp8_blocks": lambda: fp8([32, 48]),
    "fp8_tensor": lambda: fp8(None),
    "fp8_all": all_f8,
    "fbgemm": fbgemm,
    "mlx": mlx,
    "gptq_4_zeros": gptq_zeros,
}


def write_case(folder, make):
    config, stored, floats = make()
    folder.mkdir(parents=True, exist_ok=True)
    key = "quantization_config" if "quant_method" in config else "quantization"
    (folder / "config.json").write_text(json.dumps({key: config}, indent=1) + "\n")
    kind = "pt" if "quant_method" in config else "mlx"
    save_file({name: value.contiguous() for name, value in sorted(stored.items())}, folder / "model.safetensors",
              metadata={"format": kind})
    save_file({name: value.contiguous() for name, value in sorted(floats.items())}, folder / "expected.safetensors")


def write_text_model(data):
    """text_smollm2 as transformers saves it with bitsandbytes' nf4, and transformers' golden of it."""
    source, folder = data / "models" / "text_smollm2", data / "models" / "text_nf4"
    settings = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                                  bnb_4bit_compute_dtype=torch.float32)
    with tempfile.TemporaryDirectory() as saved:
        model = AutoModelForCausalLM.from_pretrained(source, quantization_config=settings, dtype=torch.float32)
        model.save_pretrained(saved)
        AutoTokenizer.from_pretrained(source).save_pretrained(saved)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(saved, folder)
    oracle = make_text_golden.TextOracle(folder)
    oracle.model = oracle.model.dequantize().float()  # bitsandbytes' product on CPUs wants other widths
    print(make_text_golden.make(oracle, "text_nf4", data / "goldens" / "text_nf4", {"prompt": "What is a galago?"}, 16))


def main():
    parser = argparse.ArgumentParser(description="Makes weights as other tools quantise them.")
    parser.add_argument("-d", "--data", type=pathlib.Path, required=True, help="test data folder")
    data = parser.parse_args().data
    for seed, (name, make) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        write_case(data / "prequantised" / name, make)
    write_text_model(data)


if __name__ == "__main__":
    main()
