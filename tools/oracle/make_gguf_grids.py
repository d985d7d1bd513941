# Writes src/formats/gguf/grids.cc: the codebooks of ggml's IQ types, packed. They are part of the format; the `gguf` package
# (0.19.0) holds them. In: the package. Out: the file, the same bytes on every run (tools/check_format --fix lays it out).
# Usage: python tools/oracle/make_gguf_grids.py -o src/formats/gguf/grids.cc

import argparse
import pathlib

import gguf
import numpy as np

GRIDS = [("kIq2Xxs", gguf.quants.IQ2_XXS, 2), ("kIq2Xs", gguf.quants.IQ2_XS, 2), ("kIq2S", gguf.quants.IQ2_S, 2),
         ("kIq3Xxs", gguf.quants.IQ3_XXS, 3), ("kIq3S", gguf.quants.IQ3_S, 3), ("kIq1", gguf.quants.IQ1_S, 2)]

HEAD = """// Codebooks of ggml's IQ types, written by tools/oracle/make_gguf_grids.py. An entry holds 8 (IQ1, IQ2: 2 bits each) or 4
// (IQ3: 3 bits each) elements, the first in the lowest bits; a code stands for a size that gguf_blocks_iq.cc knows.
#include "formats/gguf/grids.h"

namespace galago::gguf_grids {

"""


def packed(kind, bits):
    kind.init_grid()
    codes = {value: code for code, value in enumerate(kind.grid_map)}
    for entry in np.asarray(kind.grid).reshape(kind.grid_shape):
        yield sum(codes[int(value)] << (bits * i) for i, value in enumerate(entry))


def main():
    parser = argparse.ArgumentParser(description="Writes the codebooks of ggml's IQ types.")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    text = HEAD
    for name, kind, bits in GRIDS:
        numbers = ", ".join(f"0x{value:04x}" for value in packed(kind, bits))
        text += f"const std::array<uint16_t, {kind.grid_shape[0]}> {name} = {{{numbers}}};\n\n"
    parser.parse_args().output.write_text(text + "}  // namespace galago::gguf_grids\n")


if __name__ == "__main__":
    main()
