# Other text models behind Idefics3's tower and connector: smolvlm_tiles with another class in text_config.
# In: the test data folder (models/smolvlm_tiles and pictures/ in it). Out: models/<name> and goldens/<name>, one for each
# entry of BACKBONES; the weights are those of smolvlm_tiles.
# Usage: python tools/oracle/make_backbones.py -d tests/data

import argparse
import json
import pathlib
import shutil
import versions

from make_golden import make
from reference import Oracle

BACKBONES = {
    # The four factors away from 1; Idefics3's own head does not divide by logits_scaling.
    "idefics3_granite": dict(model_type="granite", embedding_multiplier=1.5, residual_multiplier=0.7,
                             attention_multiplier=0.3, logits_scaling=4.0),
    # A window far shorter than the prompt.
    "idefics3_mistral": dict(model_type="mistral", sliding_window=8),
}


def main():
    parser = argparse.ArgumentParser(description="Makes goldens of other text models behind Idefics3's tower.")
    parser.add_argument("-d", "--data", type=pathlib.Path, required=True, help="test data folder")
    data = parser.parse_args().data
    for name, text in BACKBONES.items():
        folder = data / "models" / name
        shutil.copytree(data / "models" / "smolvlm_tiles", folder, dirs_exist_ok=True)
        config = json.loads((folder / "config.json").read_text())
        config["text_config"].pop("architectures", None)
        config["text_config"].update(text)
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        question = {
            "prompt": "What is in this image?",
            "image_paths": [data / "pictures" / "shapes_100x80.png"],
            "options": {"do_image_splitting": False},
        }
        print(name, make(Oracle(folder), name, data / "goldens" / name, question))


if __name__ == "__main__":
    main()
