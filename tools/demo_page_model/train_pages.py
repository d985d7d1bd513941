# Trains the demo page model end to end with transformers' own classes.
# In: an untrained model directory (make_directory.py), an output directory.
# Out: OUT/latest (a complete model directory, bf16), OUT/state.pt (to resume), log lines on stdout.
# Loss: the answer's tokens; where two layers of the text model look; dense labels of the tower's patches.

import argparse
import os
import sys
import time
from collections import defaultdict

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoModelForImageTextToText, AutoProcessor

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "demo_model"))

import attention
from batches import CELLS, CHARACTERS, NOTHING, TAGS, Feeder, collate, skipped_tokens
from make_directory import PROMPT
from optimizer import Optimizer
from sample import make
from train import read_picture, read_text, save, schedule, split_parameters

HELD_OUT, TRAINING = 900_000_000, 1_000_000_000  # seeds


class DenseHeads(nn.Module):
    """Readings of the tower's patches and of the connector's rows, used in training only."""

    PARTS = {"tag": len(TAGS), "box": 4, "left": len(CHARACTERS), "right": len(CHARACTERS), "cell": len(CELLS),
             "column": 4, "wide": 2, "tall": 2}

    def __init__(self, vision_width, text_width, words):
        super().__init__()
        self.words = words  # tokens 0..words-1 are words, letters and tags, the others places
        self.patch = nn.Linear(vision_width, sum(self.PARTS.values()))
        self.token = nn.ModuleList(nn.Linear(vision_width, words) for _ in range(3))
        self.row_scale = nn.Parameter(torch.tensor(0.15))
        directions = torch.randn(text_width, 2, generator=torch.Generator().manual_seed(0)) / text_width ** 0.5
        self.register_buffer("directions", directions, persistent=False)

    def place_loss(self, rows):
        """Squared error of each row's coordinates in the page (-1..1), read along fixed directions."""
        side = int(rows.shape[1] ** 0.5)
        ticks = torch.linspace(-1, 1, side)
        target = torch.stack(torch.meshgrid(ticks, ticks, indexing="ij"), -1).view(-1, 2)
        return F.mse_loss((F.rms_norm(rows, rows.shape[-1:]) @ self.directions).float(),
                          target.expand(len(rows), -1, -1))

    def row_loss(self, rows, here, embeddings):
        """The words under each image row, scored against the text model's embeddings of them."""
        batch, patch = torch.nonzero(here >= 0, as_tuple=True)
        side = int(here.shape[1] ** 0.5)
        row = patch // side // 2 * (side // 2) + patch % side // 2
        flat = batch * rows.shape[1] + row
        used, place = flat.unique(return_inverse=True)
        norm = F.rms_norm(rows, rows.shape[-1:]).flatten(0, 1)[used]
        logits = (norm @ embeddings[:self.words].t() * self.row_scale).float().log_softmax(-1)
        return -logits[place, here[batch, patch]].mean()

    def forward(self, patches, rows, labels, embeddings):
        """patches [B, P, C], rows [B, R, D] -> (loss, parts)."""
        out = dict(zip(self.PARTS, self.patch(patches).float().split(list(self.PARTS.values()), -1)))
        inside, written, celled = labels["tag"] > 0, labels["token"][..., 1] >= 0, labels["cell"][..., 0] > 0
        parts = {"tag": F.cross_entropy(out["tag"].flatten(0, 1), labels["tag"].flatten()),
                 "box": F.smooth_l1_loss(out["box"][inside], labels["box"][inside], beta=0.05)}
        chars, loss = labels["chars"], 0.0
        for column, side in enumerate(("left", "right")):
            weight = torch.where(chars[..., column] > 0, 1.0, 0.1)
            each = F.cross_entropy(out[side].flatten(0, 1), chars[..., column].flatten(), reduction="none")
            loss = loss + (each * weight.flatten()).sum() / weight.sum() / 2
        parts["char"] = loss
        parts["cell"] = F.cross_entropy(out["cell"].flatten(0, 1), labels["cell"][..., 0].flatten())
        for column, name in enumerate(("column", "wide", "tall")):
            if celled.any():
                parts["cell"] = parts["cell"] + 0.5 * F.cross_entropy(out[name][celled], labels["cell"][..., column + 1][celled])
        read, tokens = patches[written], labels["token"][written]
        for column, name in enumerate(("before", "here", "behind")):
            logits = self.token[column](read).float()
            parts[name] = F.cross_entropy(logits, tokens[:, column])
            if name == "here":
                hit = (logits.argmax(-1) == tokens[:, 1]).float().mean()
        parts["row"] = self.row_loss(rows, labels["token"][..., 1], embeddings)
        parts["place"] = self.place_loss(rows)
        weights = {"tag": 0.3, "box": 1.0, "before": 0.05, "behind": 0.15, "place": 0.5, "cell": 0.4, "row": 0.7}
        total = sum(weights.get(k, 1.0) * v for k, v in parts.items())
        letters = (out["left"].argmax(-1) == chars[..., 0])[chars[..., 0] > 0].float().mean()
        return total, {**parts, "HERE": hit, "LETTERS": letters}


class Pointing:
    """A loss on where the text model looks: heads of one layer at what was read last, heads of the next layer at
    what is to be read next. Reading is then following a line; answers alone teach that late."""

    READ, COMING, HEADS = 2, 3, 2

    def __init__(self, model):
        self.modules = [model.model.text_model.layers[n].self_attn for n in (self.READ, self.COMING)]
        for module in self.modules:
            module.watched_heads = self.HEADS

    def __call__(self, batch, image, first, count):
        """image: where the prompt has image rows; the answer's tokens are predicted at first..first+count-1."""
        parts = {}
        for name, module, right in zip(("read", "coming"), self.modules, (batch.read, batch.coming)):
            looks = module.watched[:, :, first:first + count, :len(image)][..., image].float()
            right = torch.from_numpy(right[:, :count])
            mass = (looks * right[:, None]).sum(-1).transpose(1, 2)[right.any(-1)]
            parts[name] = -(mass + 1e-5).log().mean()
        return parts


class Reader:
    """The model's passes over a batch, with the processor's own prompt."""

    def __init__(self, model, processor):
        self.model, self.tokenizer = model, processor.tokenizer
        text = processor.apply_chat_template(
            [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": PROMPT}]}], add_generation_prompt=True)
        picture = processor.replace_image_token({"rows": [[0]], "cols": [[0]]}, 0)
        ids = self.tokenizer(text.replace("<image>", picture), add_special_tokens=False)["input_ids"]
        self.prompt = torch.tensor(ids)
        self.image = self.prompt == model.config.image_token_id
        self.first_place = self.tokenizer.convert_tokens_to_ids("<loc_0>")
        self.last_place = self.first_place + 500
        words = [i for t, i in self.tokenizer.get_vocab().items() if i < self.first_place and not t.startswith("<")]
        self.words = torch.tensor(sorted(words))
        self.is_word = torch.zeros(len(self.tokenizer), dtype=torch.bool)
        self.is_word[self.words] = True

    def picture(self, batch):
        pixels = (torch.from_numpy(batch.pixels).float() / 255 - 0.5) / 0.5
        patches, rows = read_picture(self.model, pixels[:, None, None].expand(-1, 1, 3, -1, -1).to(self.model.dtype))
        return patches[:, 0], rows

    def spoil(self, ids, share):
        """Some words replaced by others and some places moved by a step: what follows a mistake must be learned."""
        word = self.is_word[ids.clamp(min=0)] & (torch.rand(ids.shape) < share)
        ids = torch.where(word, self.words[torch.randint(len(self.words), ids.shape)], ids)
        place = (ids >= self.first_place) & (ids <= self.last_place) & (torch.rand(ids.shape) < 3 * share)
        moved = (ids + 10 * (2 * torch.randint(2, ids.shape) - 1)).clamp(self.first_place, self.last_place)
        return torch.where(place, moved, ids)

    def text(self, batch, rows, share=0.0):
        """(logits at the answer's tokens [N, vocabulary], their ids)."""
        answer = torch.from_numpy(batch.ids)
        given = self.spoil(answer, share) if share else answer
        ids = torch.cat([self.prompt.expand(len(answer), -1), given[:, :-1]], 1)
        start = len(self.prompt) - 1
        length = ids.shape[1]
        where = torch.nonzero((answer >= 0).flatten()).flatten()
        where = where // answer.shape[1] * length + start + where % answer.shape[1]
        packed = {"ids": ids.clamp(min=0), "positions": torch.arange(length).expand(len(ids), -1), "where": where,
                  "mask": torch.ones(length, length, dtype=torch.bool).tril()[None, None]}
        return read_text(self.model, rows, packed).float(), answer[answer >= 0]


class Threads:
    """Two threads that wait for each other lose more than they win where others compute, too: one when this process
    gets less than its share, up to `most` when cores are idle."""

    EVERY = 15  # steps

    def __init__(self, most):
        self.most, self.steps, self.now = most, 0, 1
        torch.set_num_threads(1)
        self.last = self.times()

    @staticmethod
    def times():
        """Seconds: wall, this process, idle cores."""
        with open("/proc/stat") as f:
            idle = int(f.readline().split()[4]) / os.sysconf("SC_CLK_TCK")
        return time.time(), time.process_time(), idle

    def step(self):
        self.steps += 1
        if self.steps % self.EVERY or self.most == 1:
            return
        wall, own, idle = (b - a for a, b in zip(self.last, self.times()))
        self.last = self.times()
        if self.now > 1 and own < 0.7 * self.now * wall:
            self.now = 1
        elif self.now == 1 and idle > 0.4 * wall:
            self.now = self.most
        torch.set_num_threads(self.now)


@torch.no_grad()
def validate(reader, batches):
    """Shares of right tokens when all before are right: words, digits and signs, places, other tags."""
    right, asked = defaultdict(int), defaultdict(int)
    for batch in batches:
        logits, targets = reader.text(batch, reader.picture(batch)[1])
        hit = logits.argmax(-1) == targets
        place = (targets >= reader.first_place) & (targets <= reader.last_place)
        word = reader.is_word[targets]
        for name, part in (("words", word), ("places", place), ("tags", ~word & ~place)):
            right[name] += hit[part].sum().item()
            asked[name] += part.sum().item()
    return {name: right[name] / asked[name] for name in asked}


def parse():
    args = argparse.ArgumentParser()
    args.add_argument("init")
    args.add_argument("out")
    args.add_argument("--minutes", type=float, required=True, help="the schedule ends after this much wall time")
    args.add_argument("--vision-minutes", type=float, default=0, help="first train the tower on dense labels alone")
    args.add_argument("--heads-minutes", type=float, default=0,
                      help="before that, only the heads of the dense labels: for weights that are trained, whose heads are not kept")
    args.add_argument("--batch", type=int, default=16, help="pages per step")
    args.add_argument("--threads", type=int, default=1, help="at most; see Threads")
    args.add_argument("--matrix-rate", type=float, default=0.01)
    args.add_argument("--other-rate", type=float, default=2e-3)
    args.add_argument("--dense", type=float, default=1.0, help="weight of the dense loss beside the answers")
    args.add_argument("--spoil", type=float, default=0.05)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--save-every", type=float, default=6, help="minutes between checkpoints")
    args.add_argument("--resume", action="store_true")
    return args.parse_args()


def main():
    args = parse()
    torch.manual_seed(args.seed)
    os.makedirs(args.out, exist_ok=True)
    processor = AutoProcessor.from_pretrained(args.init, backend="pil")
    model = AutoModelForImageTextToText.from_pretrained(args.init, dtype=torch.bfloat16,
                                                        attn_implementation=attention.register()).train()
    reader = Reader(model, processor)
    heads = DenseHeads(model.config.vision_config.hidden_size, model.config.text_config.hidden_size,
                       reader.first_place).to(torch.bfloat16)
    optimizer = Optimizer(*split_parameters(model, heads), args.matrix_rate, args.other_rate)
    done = {"elapsed": 0.0, "pictures": 0}
    if args.resume:
        state = torch.load(f"{args.out}/state.pt")
        heads.load_state_dict(state.pop("heads"))
        optimizer.load_state_dict(state.pop("optimizer"))
        done = state
        torch.manual_seed(args.seed + done["pictures"])
    backend = processor.tokenizer.backend_tokenizer
    skipped = skipped_tokens(backend)
    held = [collate([make(HELD_OUT + 500_000 + 16 * n + i, backend) for i in range(16)], skipped) for n in range(3)]
    feeder = Feeder(backend, args.batch, TRAINING + args.seed * 100_000_000 + done["pictures"])
    pointing = Pointing(model)
    train(args, reader, heads, optimizer, pointing, feeder, held, done)


def one_step(args, reader, heads, pointing, batch, minutes):
    """(loss, parts) of one batch, by what is trained after so many minutes."""
    patches, rows = reader.picture(batch)
    words = reader.model.get_input_embeddings().weight
    text = minutes >= args.heads_minutes + args.vision_minutes
    if minutes < args.heads_minutes:
        patches, rows, words = patches.detach(), rows.detach(), words.detach()
    labels = {k: torch.from_numpy(getattr(batch, k)) for k in ("tag", "box", "chars", "token", "cell")}
    loss, parts = heads(patches, rows[:, 0], labels, words)
    if text:
        logits, targets = reader.text(batch, rows, args.spoil)
        answer = F.cross_entropy(logits, targets)
        looks = pointing(batch, reader.image, len(reader.prompt) - 1, batch.ids.shape[1])
        loss = args.dense * loss + 2 * answer + 0.5 * sum(looks.values())
        parts.update(answer=answer, **looks)
    return loss, parts


def train(args, reader, heads, optimizer, pointing, feeder, held, done):
    started, before = time.time(), done["elapsed"]
    said = saved = started
    sums, steps = defaultdict(float), 0
    threads = Threads(args.threads)
    while True:
        threads.step()
        done["elapsed"] = before + time.time() - started
        part = done["elapsed"] / 60 / args.minutes
        if part >= 1:
            break
        batch = feeder.next()
        loss, parts = one_step(args, reader, heads, pointing, batch, done["elapsed"] / 60)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(schedule(part, (optimizer.steps + 1) / 100))
        done["pictures"] += len(batch.ids)
        steps += 1
        for key, value in parts.items():
            sums[key] += value.item()
        if time.time() - said > 40:
            shown = " ".join(f"{k} {v / steps:.3f}" for k, v in sums.items())
            print(f"{done['elapsed'] / 60:6.1f} min  step {optimizer.steps}  pages {done['pictures']}  "
                  f"{(time.time() - said) / steps:.2f} s/step  {threads.now} threads  {shown}", flush=True)
            said, steps = time.time(), 0
            sums.clear()
        if time.time() - saved > 60 * args.save_every:
            checkpoint(args, reader, heads, optimizer, held, done)
            saved = said = time.time()
            steps = 0
            sums.clear()
    checkpoint(args, reader, heads, optimizer, held, done)


def checkpoint(args, reader, heads, optimizer, held, done):
    save(reader.model, args.init, heads, optimizer, args.out, done)
    reader.model.eval()
    parts = validate(reader, held)
    reader.model.train()
    print(f"  checkpoint at {done['elapsed'] / 60:.1f} min: " + "  ".join(f"{k} {v:.3f}" for k, v in parts.items()), flush=True)


if __name__ == "__main__":
    main()
