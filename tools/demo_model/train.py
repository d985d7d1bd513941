# Trains the demo model end to end with transformers' own classes.
# In: an untrained model directory (make_directory.py), a directory of shards (make_data.py), an output directory.
# Out: OUT/latest (a complete model directory, bf16), OUT/state.pt (to resume), log lines on stdout.
# Loss: answer tokens, plus dense labels of the vision tower (class, colour and centre of the item under each patch,
# classes under each image row, counts in the whole picture), which teach the tower much faster than answers alone.

import argparse
import glob
import os
import shutil
import signal
import time
from collections import defaultdict

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoModelForImageTextToText, AutoProcessor

import attention
from make_data import CLASSES, COUNTED, SHARD, WHOLES
from optimizer import Optimizer
from packing import Packer, Shard, pictures
from vocabulary import CATEGORIES, COLOUR_NAMES, SHAPES, THING_NAMES, WORDS, plural


class DenseHeads(nn.Module):
    """Readings of the vision tower and of the connector's rows, used in training only. A row is scored against the
    text model's own embeddings of the names of what it shows, so that pictures and words meet in one space."""

    def __init__(self, vision_width, text_width, tokenizer):
        super().__init__()
        self.classes, self.colours, self.kinds = len(CLASSES), len(COLOUR_NAMES) + 1, len(COUNTED)
        self.patch = nn.Linear(vision_width, self.classes + self.colours + 1)
        self.count = nn.Linear(text_width, self.kinds * 7)
        self.whole = nn.Linear(vision_width, len(WHOLES))
        self.row_place = nn.Linear(text_width, len(WHOLES) - 1 - len(WORDS))
        names = [n if len(n) == 1 else " " + n for n in CLASSES[1:-1] + COLOUR_NAMES + WORDS]
        tokens = [tokenizer(n, add_special_tokens=False)["input_ids"][0] for n in names]
        self.tokens = list(dict.fromkeys(tokens))  # a word may also name a thing or a colour: one token, one score
        self.register_buffer("slot", torch.tensor([self.tokens.index(t) for t in tokens]), persistent=False)
        self.row_scale = nn.Parameter(torch.tensor(2.0))
        self.row_bias = nn.Parameter(torch.full((len(self.tokens),), -3.0))
        # Fixed directions along which a row must say where in its tile it lies.
        directions = torch.randn(text_width, 2, generator=torch.Generator().manual_seed(0)) / text_width ** 0.5
        self.register_buffer("directions", directions, persistent=False)

    def row_loss(self, rows, kind, colour, whole, words):
        """Which classes, colours and words each image row shows, and which places of a number, from rows
        [B, T, R, D] and embeddings words [N, D]."""
        b, t, p = kind.shape
        side, cell = int(p ** 0.5), int((p // rows.shape[2]) ** 0.5)
        shown = []
        for labels, number in ((kind, self.classes), (colour, self.colours), (whole, len(WHOLES))):
            grouped = labels.view(b, t, side // cell, cell, side // cell, cell).transpose(3, 4)
            shown.append(F.one_hot(grouped.reshape(b, t, -1, cell * cell), number).amax(3))
        word, place = shown[2][..., 1:].split([len(WORDS), len(WHOLES) - 1 - len(WORDS)], -1)
        named = torch.cat([shown[0][..., 1:-1], shown[1][..., 1:], word], -1).float()
        named = named.new_zeros(*named.shape[:-1], len(self.tokens)).index_add_(-1, self.slot, named).clamp_(max=1)
        self.present = named.flatten(1, 2)  # for Pointing
        present = torch.cat([named, place], -1)
        matches = F.rms_norm(rows, rows.shape[-1:]) @ words.t() * self.row_scale + self.row_bias
        scores = torch.cat([matches, self.row_place(rows)], -1)
        return F.binary_cross_entropy_with_logits(scores.float(), present) * 20

    def place_loss(self, rows):
        """Squared error of each row's coordinates in its tile (-1..1), read along fixed directions, from rows
        [B, T, R, D]."""
        side = int(rows.shape[2] ** 0.5)
        ticks = torch.linspace(-1, 1, side, device=rows.device)
        target = torch.stack(torch.meshgrid(ticks, ticks, indexing="ij"), -1).view(-1, 2)
        return F.mse_loss((F.rms_norm(rows, rows.shape[-1:]) @ self.directions).float(),
                          target.expand(*rows.shape[:2], -1, -1))

    def forward(self, patches, rows, labels, counts, embeddings):
        """patches [B, T, P, C], rows [B, T, R, D], labels [B, T, 4, P], counts [B, kinds], embeddings
        [vocabulary, D] -> (loss, parts)."""
        kind, colour, centre, whole = labels.unbind(2)
        logits = self.patch(patches).float()
        named = kind > 0
        written = whole > 0
        weight = torch.where(written, 2.0, torch.where(named, 1.0, 0.15))
        each = F.cross_entropy(logits[..., :self.classes].flatten(0, 2), kind.flatten(), reduction="none")
        class_loss = (each * weight.flatten()).sum() / weight.sum()
        tinted = colour > 0
        colour_loss = F.cross_entropy(logits[..., self.classes:-1][tinted], colour[tinted])
        centre_loss = F.binary_cross_entropy_with_logits(logits[..., -1], centre.float(),
                                                         pos_weight=torch.tensor(8.0, device=centre.device))
        written_count = written.sum().clamp(min=1)  # a batch may have no text
        whole_loss = F.cross_entropy(self.whole(patches[written]).float(), whole[written], reduction="sum")
        whole_loss = whole_loss / written_count
        row_loss = self.row_loss(rows, kind, colour, whole, embeddings[self.tokens])
        place_loss = self.place_loss(rows)
        count_logits = self.count(rows[:, -1].mean(1)).float().view(-1, 7)
        count_loss = F.cross_entropy(count_logits, counts.flatten())
        total = class_loss + 0.5 * colour_loss + 0.5 * centre_loss + 0.5 * whole_loss + row_loss + 0.5 * count_loss + place_loss
        hit = ((logits[..., :self.classes].argmax(-1) == kind) & named).sum() / named.sum()
        read = (logits[..., :self.classes].argmax(-1) == kind)[written].sum() / written_count
        return total, {"patch": class_loss, "tint": colour_loss, "centre": centre_loss, "whole": whole_loss,
                       "row": row_loss, "place": place_loss, "count": count_loss, "seen": hit, "letters": read}


class Pointing:
    """A loss on where the text model looks: in layer LAYER, the first heads of a question's noun or colour must
    look at the image rows that show it, the last of them at those of the whole picture's tile, whose places in the
    tile are places in the picture. This teaches in minutes what answers alone teach very late."""

    LAYER, HEADS = 1, 3

    def __init__(self, model, heads, tokenizer):
        self.module = model.model.text_model.layers[self.LAYER].self_attn
        self.module.watched_heads = self.HEADS
        self.image_token = model.config.image_token_id
        vision = model.config.vision_config
        self.rows_per_tile = (vision.image_size // vision.patch_size // model.config.scale_factor) ** 2
        self.slot = torch.full((len(tokenizer),), -1)
        for name in SHAPES + THING_NAMES + COLOUR_NAMES:
            own = tokenizer(" " + name, add_special_tokens=False)["input_ids"][0]
            for form in (name, plural(name)):
                ids = tokenizer(" " + form, add_special_tokens=False)["input_ids"]
                if len(ids) == 1:
                    self.slot[ids[0]] = heads.tokens.index(own)

    def __call__(self, packed, present):
        """present [B, T*R, names]: what each image row shows. Mean of -log(weight on the right rows)."""
        ids = packed["ids"]
        self.slot = self.slot.to(ids.device)
        batch, place = torch.nonzero(self.slot[ids] >= 0, as_tuple=True)
        image = ids[0] == self.image_token  # the prefix is the same in the whole batch
        right = present[batch, :, self.slot[ids[batch, place]]] > 0
        looks = self.module.watched[batch, :, place][..., image].float()
        right = right[:, None].repeat(1, self.HEADS, 1)
        right[:, -1, :-self.rows_per_tile] = False
        mass = (looks * right).sum(-1)
        return -(mass[right.any(-1)] + 1e-6).log().mean()


def read_picture(model, pixels):
    """Tower and connector: patches [B, T, P, C], rows [B, T, R, D]."""
    b, t = pixels.shape[:2]
    patches = model.model.vision_model(pixels.flatten(0, 1)).last_hidden_state
    rows = model.model.connector(patches)
    return patches.view(b, t, *patches.shape[1:]), rows.view(b, t, *rows.shape[1:])


def read_text(model, rows, packed):
    """Logits at the places to predict from [N, vocabulary]."""
    embeds = model.model.get_input_embeddings()(packed["ids"])
    image = packed["ids"] == model.config.image_token_id
    embeds = embeds.masked_scatter(image[..., None], rows.to(embeds.dtype))
    hidden = model.model.text_model(inputs_embeds=embeds, attention_mask=packed["mask"],
                                    position_ids=packed["positions"], use_cache=False).last_hidden_state
    return model.lm_head(hidden.flatten(0, 1)[packed["where"]])


class Feeder:
    """Hands out batches: every shard once per round, in random order, several shards mixed."""

    def __init__(self, directory, packer, args, device):
        self.directory, self.packer, self.args, self.device = directory, packer, args, device
        self.rng = np.random.default_rng(args.seed)
        self.queue, self.used = [], set()
        weights = dict(part.split("=") for part in args.mix.split(",")) if args.mix else {}
        self.mix = {c: float(weights.get(c, 1.0)) for c in CATEGORIES}

    def shards(self):
        return sorted(glob.glob(f"{self.directory}/*.pkl"))

    def _refill(self):
        paths = self.shards()
        fresh = [p for p in paths if p not in self.used]
        if not fresh:
            self.used.clear()
            fresh = paths
        picks = list(self.rng.permutation(fresh)[:8])
        self.used.update(picks)
        for path in picks:
            shard = Shard(path)
            order = self.rng.permutation(SHARD)
            self.queue += [(shard, np.sort(order[i:i + self.args.batch]))
                           for i in range(0, SHARD, self.args.batch)]
        self.rng.shuffle(self.queue)

    def choose(self, questions):
        """Up to --questions questions, drawn with the mix's weights."""
        keys = [self.rng.random() ** (1 / max(self.mix[c], 1e-9)) for c, _, _ in questions]
        order = np.argsort(keys)[::-1][:self.args.questions]
        return [questions[i] for i in order]

    def batch(self, text=True):
        while True:
            if not self.queue:
                self._refill()
            shard, index = self.queue.pop()
            chosen = [self.choose(shard.rest["questions"][i]) for i in index]
            keep = [i for i, c in enumerate(chosen) if c]
            if keep:
                break
        return self.collate(shard, index[keep], [chosen[i] for i in keep], text)

    def collate(self, shard, index, chosen, text=True):
        pixels, labels, counts = pictures(shard, index, self.args.dtype)
        packed = self.packer.pack(shard.grid, chosen) if text else None
        move = lambda x: x.to(self.device) if torch.is_tensor(x) else x
        return move(pixels), move(labels), move(counts), packed and {k: move(v) for k, v in packed.items()}


@torch.no_grad()
def validate(model, feeder, paths, limit):
    """Share of questions whose every answer token is the most likely one, by category."""
    right, asked = defaultdict(int), defaultdict(int)
    for path in paths:
        shard = Shard(path)
        for start in range(0, limit, feeder.args.batch):
            index = np.arange(start, min(start + feeder.args.batch, limit))
            index = np.array([i for i in index if shard.rest["questions"][i]])
            chosen = [shard.rest["questions"][i] for i in index]
            pixels, _, _, packed = feeder.collate(shard, index, chosen)
            logits = read_text(model, read_picture(model, pixels)[1], packed)
            wrong = torch.zeros(len(packed["categories"]), dtype=torch.long, device=logits.device)
            wrong.index_add_(0, packed["owner"], (logits.argmax(-1) != packed["targets"]).long())
            for category, bad in zip(packed["categories"], wrong.tolist()):
                asked[category] += 1
                right[category] += bad == 0
    parts = {c: right[c] / asked[c] for c in CATEGORIES if asked[c]}
    return sum(right.values()) / sum(asked.values()), parts


def save(model, processor_directory, heads, optimizer, out, progress):
    temporary = f"{out}/latest.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(processor_directory, temporary)
    model.save_pretrained(temporary)
    shutil.rmtree(f"{out}/latest", ignore_errors=True)
    os.rename(temporary, f"{out}/latest")
    torch.save({"heads": heads.state_dict(), "optimizer": optimizer.state_dict(), **progress}, f"{out}/state.tmp")
    os.rename(f"{out}/state.tmp", f"{out}/state.pt")


def split_parameters(model, heads):
    """(matrices of the blocks and the connector, everything else with a multiple of its learning rate)."""
    matrices, others = [], []
    for name, p in model.named_parameters():
        block = ".layers." in name or "connector" in name
        if block and p.dim() == 2:
            matrices.append(p)
        else:
            others.append((p, 4.0 if "embed_tokens" in name or "position_embedding" in name else 1.0))
    return matrices, others + [(p, 1.0) for p in heads.parameters()]


def schedule(part, warm):
    """Learning-rate factor at `part` in 0..1 of the run: warm-up, flat, then linear to 0 over the last 70 %."""
    return min(1.0, warm, max(0.005, (1 - part) / 0.7))


def parse():
    args = argparse.ArgumentParser()
    args.add_argument("init")
    args.add_argument("data")
    args.add_argument("out")
    args.add_argument("--minutes", type=float, required=True, help="the schedule ends after this much wall time")
    args.add_argument("--vision-minutes", type=float, default=0, help="first train the tower on dense labels alone")
    args.add_argument("--batch", type=int, default=16, help="pictures per step")
    args.add_argument("--questions", type=int, default=6, help="questions per picture")
    args.add_argument("--mix", default="", help="category weights, e.g. count=2,where=1.5")
    args.add_argument("--threads", type=int, default=1)
    args.add_argument("--matrix-rate", type=float, default=0.01)
    args.add_argument("--other-rate", type=float, default=2e-3)
    args.add_argument("--dense", type=float, default=0.5, help="weight of the dense loss beside the answers")
    args.add_argument("--held-out", default="", help="directory of validation shards")
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--save-every", type=float, default=8, help="minutes between checkpoints")
    args.add_argument("--resume", action="store_true")
    return args.parse_args()


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    os.makedirs(args.out, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    args.dtype = torch.bfloat16
    processor = AutoProcessor.from_pretrained(args.init, backend="pil")
    model = AutoModelForImageTextToText.from_pretrained(args.init, dtype=args.dtype, attn_implementation=attention.register())
    model.to(device).train()
    heads = DenseHeads(model.config.vision_config.hidden_size, model.config.text_config.hidden_size,
                       processor.tokenizer)
    heads.to(device, args.dtype)
    optimizer = Optimizer(*split_parameters(model, heads), args.matrix_rate, args.other_rate)
    done = {"elapsed": 0.0, "pictures": 0, "questions": 0}
    if args.resume:
        state = torch.load(f"{args.out}/state.pt", map_location=device)
        heads.load_state_dict(state.pop("heads"))
        optimizer.load_state_dict(state.pop("optimizer"))
        done = state
    feeder = Feeder(args.data, Packer(processor), args, device)
    feeder.rng = np.random.default_rng([args.seed, done["pictures"]])
    run(args, model, heads, optimizer, feeder, done, Pointing(model, heads, processor.tokenizer))


def run(args, model, heads, optimizer, feeder, done, pointing):
    begin = time.time() - done["elapsed"]
    stop = []  # a polite kill ends the run with a checkpoint
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    saved = said = time.time()
    sums, steps = defaultdict(float), 0
    held = sorted(glob.glob(f"{args.held_out}/*.pkl")) if args.held_out else []
    while True:
        done["elapsed"] = time.time() - begin
        part = done["elapsed"] / (60 * args.minutes)
        if part >= 1 or stop:
            break
        text = done["elapsed"] >= 60 * args.vision_minutes
        pixels, labels, counts, packed = feeder.batch(text)
        patches, rows = read_picture(model, pixels)
        dense, parts = heads(patches, rows, labels, counts, model.get_input_embeddings().weight)
        loss = dense * (args.dense if text else 1.0)
        if text:
            logits = read_text(model, rows, packed).float()
            answer = F.cross_entropy(logits, packed["targets"])
            loss = loss + answer
            parts["answer"] = answer
            parts["point"] = pointing(packed, heads.present)
            loss = loss + 0.5 * parts["point"]
            done["questions"] += len(packed["categories"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(schedule(part, (optimizer.steps + 1) / 100))
        done["pictures"] += len(pixels)
        steps += 1
        for key, value in parts.items():
            sums[key] += value.item()
        if time.time() - said > 30:
            text_sums = " ".join(f"{k} {v / steps:.3f}" for k, v in sums.items())
            print(f"{done['elapsed'] / 60:6.1f} min  step {optimizer.steps}  pictures {done['pictures']}  "
                  f"{(time.time() - said) / steps:.2f} s/step  {text_sums}", flush=True)
            said, steps = time.time(), 0
            sums.clear()
        if time.time() - saved > 60 * args.save_every:
            checkpoint(args, model, heads, optimizer, feeder, done, held)
            saved = said = time.time()
            steps = 0
            sums.clear()
    checkpoint(args, model, heads, optimizer, feeder, done, held)


def checkpoint(args, model, heads, optimizer, feeder, done, held):
    save(model, args.init, heads, optimizer, args.out, done)
    if held and done["questions"]:
        model.eval()
        whole, parts = validate(model, feeder, held, 96)
        model.train()
        print(f"  checkpoint at {done['elapsed'] / 60:.1f} min: {whole:.3f}  " +
              "  ".join(f"{c} {v:.3f}" for c, v in parts.items()), flush=True)


if __name__ == "__main__":
    main()
