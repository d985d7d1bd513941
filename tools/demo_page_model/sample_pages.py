# Writes the sample pages that ship with the demo page model.
# In: an output directory. Out: OUT/*.png and OUT/sample.pdf: the first three pages, 192 x 192 points each, which a
# renderer draws at scale 2.0 (144 dpi) as the 384 x 384 pixels that the model was trained on.
# Usage: sample_pages.py OUT SEED...

import os
import sys

from PIL import Image

from make_directory import make_tokenizer
from sample import make


def main():
    out, seeds = sys.argv[1], [int(s) for s in sys.argv[2:]]
    os.makedirs(out, exist_ok=True)
    tokenizer = make_tokenizer().backend_tokenizer
    pages = [Image.fromarray(make(seed, tokenizer).image) for seed in seeds]
    for number, page in enumerate(pages):
        page.save(f"{out}/page_{number + 1}.png", optimize=True)
    pages[0].save(f"{out}/sample.pdf", save_all=True, append_images=pages[1:3], resolution=144.0, quality=95)


if __name__ == "__main__":
    main()
