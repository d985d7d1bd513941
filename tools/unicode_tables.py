# Writes src/text/unicode/unicode_tables.cc and unicode_decompositions.cc: the Unicode tables that ids depend on, so that a build
# on another distribution gives the same ids.
# In: tokenizers 0.23.3, where the reference's own parts are of different versions (Rust's standard library is of Unicode
# 17, its normal forms of 9, the categories of its BERT parts of 8: they are asked, code point by code point);
# unicodedata2 16.0.0 and pyicu-wheels 2.15.2 (ICU 77), both of Unicode 16, as Oniguruma in tokenizers 0.23.3 is.
# Out: C++ with ranges of code points. Usage: python3 tools/unicode_tables.py [--out src/text]

import argparse
import pathlib

import icu
import tokenizers
import unicodedata2
from tokenizers import normalizers, pre_tokenizers

CATEGORIES = "Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co".split()
SCRIPTS = "Arabic Cyrillic Devanagari Greek Han Hangul Hebrew Hiragana Katakana Latin Thai".split()
# Of the classes of Grapheme_Cluster_Break those that can end a grapheme of fewer than six bytes.
BREAKS = {"CN": 1, "CR": 1, "LF": 1, "EX": 2, "ZWJ": 3, "SM": 2, "PP": 4, "L": 5, "V": 6, "T": 7, "LV": 8, "LVT": 9}
PICTOGRAPH = 10
# The marks that came with Unicode 17, which the reference's graphemes know.
LATER_MARKS = {
    *range(0x1ACF, 0x1ADE), *range(0x1AE0, 0x1AEC), 0x10EFA, 0x10EFB, *range(0x11B60, 0x11B68),
    0x1E6E3, 0x1E6E6, 0x1E6EE, 0x1E6EF, 0x1E6F5,
}
POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]

HEAD = """// Made by tools/unicode_tables.py: do not edit.
// {what}
#include "text/unicode/unicode_tables.h"

// clang-format off
namespace galago::unicode::tables {{

"""


def check_versions():
    found = (tokenizers.__version__, unicodedata2.unidata_version, icu.UNICODE_VERSION)
    if found != ("0.23.3", "16.0.0", "16.0"):
        raise SystemExit(f"unicode_tables: tokenizers, unicodedata2 and ICU are of {found}, wanted 0.23.3, 16.0.0, 16.0")


def has(name):
    return lambda c: icu.Char.hasBinaryProperty(chr(c), getattr(icu.UProperty, name))


def category(c):
    return unicodedata2.category(chr(c))


def ranges(points):
    """Sorted code points as [first, last] pairs."""
    out = []
    for c in sorted(points):
        if out and out[-1][1] + 1 == c:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def rows(numbers, width=108):
    line = "  "
    for number in numbers:
        if len(line) + len(number) + 2 > width:
            yield line.rstrip()
            line = "  "
        line += number + ", "
    yield line.rstrip()


def array(type_name, name, numbers):
    numbers = list(numbers)
    return f"constexpr {type_name} k{name}Data[] = {{\n" + "\n".join(rows(numbers)) + f"\n}};\nconstinit const std::span<const {type_name}> k{name} = k{name}Data;\n\n"


def range_array(name, points):
    return array("Range", name, ("{0x%X, 0x%X}" % tuple(r) for r in ranges(points)))


def labelled(name, label):
    """Where the label changes: code point << 5 | label."""
    out, last = [], None
    for c in range(0x110000):
        now = label(c)
        if now != last:
            out.append("0x%X" % (c << 5 | now))
        last = now
    return array("uint32_t", name, out)


def normalized(name):
    step = getattr(normalizers, name)()
    return {c: to for c in POINTS if (to := step.normalize_str(chr(c))) != chr(c)}


def case_ranges(name, mapping):
    """{first, last, step, delta}: every step-th code point of the range moves by delta."""
    out = []
    for c, to in sorted(mapping.items()):
        delta = to - c
        last = out[-1] if out else None
        if last and last[3] == delta and (c - last[1] == last[2] or (last[0] == last[1] and c - last[1] in (1, 2))):
            last[2] = c - last[1]
            last[1] = c
        else:
            out.append([c, c, 1, delta])
    return array("CaseRange", name, ("{0x%X, 0x%X, %d, %d}" % tuple(r) for r in out))


def case_tables():
    lower = normalized("Lowercase")
    title = {c: str(icu.UnicodeString(chr(c)).toTitle(icu.Locale.getRoot())) for c in POINTS}
    upper = {c: str(icu.UnicodeString(chr(c)).toUpper(icu.Locale.getRoot())) for c in POINTS}
    later = {ord(to): c for c, to in lower.items() if len(to) == 1 and category(c) == "Cn"}
    for c, to in later.items():  # letters newer than ICU's: the way back
        upper[c] = title[c] = chr(to)
    single = lambda table: {c: ord(to) for c, to in table.items() if len(to) == 1 and to != chr(c)}
    text = case_ranges("Lower", single(lower)) + case_ranges("Upper", single(upper))
    ups, titles = single(upper), single(title)
    both = {c for c in ups | titles if len(title[c]) == 1}
    text += case_ranges("Title", {c: titles.get(c, c) for c in both if titles.get(c, c) != ups.get(c, c)})
    for name, table in (("LongUpper", upper), ("LongTitle", title)):
        long = {c: to for c, to in table.items() if len(to) > 1}
        text += array("LongCase", name, (
            "{0x%X, {%s}}" % (c, ", ".join("0x%X" % ord(x) for x in to)) for c, to in sorted(long.items())))
    fold = {c: ord(icu.Char.foldCase(chr(c))) for c in POINTS}
    return text + case_ranges("Fold", {c: to for c, to in fold.items() if to != c})


def removed_by(step):
    return [c for c in POINTS if not step.normalize_str(chr(c))]


def split_off(step):
    return [c for c in POINTS if len(step.pre_tokenize_str("a" + chr(c) + "a")) > 1]


def breaks(c):
    if 0xD800 <= c < 0xE000:
        return 0
    if c in LATER_MARKS:
        return BREAKS["EX"]
    if has("EXTENDED_PICTOGRAPHIC")(c):
        return PICTOGRAPH
    value = icu.Char.getIntPropertyValue(chr(c), icu.UProperty.GRAPHEME_CLUSTER_BREAK)
    name = icu.Char.getPropertyValueName(icu.UProperty.GRAPHEME_CLUSTER_BREAK, value, 0)
    return BREAKS.get(name, 0)


def property_tables():
    text = labelled("Categories", lambda c: CATEGORIES.index(category(c)))
    of = lambda *kinds: (lambda c: category(c) in kinds)
    both = lambda is_a, is_b: [c for c in POINTS if is_a(c) and not is_b(c)]
    text += range_array("OtherAlphabetic", both(has("ALPHABETIC"), of("Lu", "Ll", "Lt", "Lm", "Lo", "Nl")))
    text += range_array("OtherLowercase", both(has("LOWERCASE"), of("Ll")))
    text += range_array("OtherUppercase", both(has("UPPERCASE"), of("Lu")))
    text += range_array("OtherCaseIgnorable", both(has("CASE_IGNORABLE"), of("Mn", "Me", "Cf", "Lm", "Sk")))
    number = of("Nd", "Nl", "No")
    text += range_array("OtherDigit", both(lambda c: unicodedata2.digit(chr(c), None) is not None, of("Nd")))
    text += range_array("OtherNumeric", both(lambda c: unicodedata2.numeric(chr(c), None) is not None, number))
    later = [c for c in split_off(pre_tokenizers.Digits(individual_digits=True)) if not number(c)]
    text += range_array("LaterNumber", later)
    text += range_array("MarkOf9", removed_by(normalizers.StripAccents()))
    bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    text += range_array("NonspacingOf8", removed_by(normalizers.BertNormalizer(**bert | {"strip_accents": True})))
    clean = removed_by(normalizers.BertNormalizer(**bert | {"clean_text": True}))
    text += range_array("OtherOf8", clean)
    chinese = normalizers.BertNormalizer(**bert | {"handle_chinese_chars": True})
    text += range_array("Chinese", [c for c in POINTS if chinese.normalize_str(chr(c)) != chr(c)])
    text += range_array("PunctuationOf8", split_off(pre_tokenizers.Punctuation()))
    return text + labelled("Breaks", breaks)


def script_table():
    values = {icu.Char.getPropertyValueEnum(icu.UProperty.SCRIPT, name): i for i, name in enumerate(SCRIPTS, 1)}
    find = lambda c: values.get(icu.Char.getIntPropertyValue(chr(c), icu.UProperty.SCRIPT), 0)
    return labelled("Scripts", lambda c: 0 if 0xD800 <= c < 0xE000 else find(c))


def decompositions():
    """Of the code points that the reference's normal forms know: flag and length, code point, what it becomes."""
    changed = normalized("NFKD")
    excluded = has("FULL_COMPOSITION_EXCLUSION")
    numbers = []
    for c in sorted(changed):
        if 0xAC00 <= c <= 0xD7A3:
            continue  # Hangul is computed
        parts = unicodedata2.decomposition(chr(c)).split()
        compatibility = parts[0].startswith("<")
        parts = parts[1:] if compatibility else parts
        composes = not compatibility and len(parts) == 2 and not excluded(c)
        flags = (2 if compatibility else 1 if composes else 0) << 29
        numbers += ["0x%X" % (flags | len(parts) << 24 | c)] + ["0x" + p.lstrip("0") for p in parts]
    return array("uint32_t", "Decompositions", numbers)


def combining_classes():
    marks = set(removed_by(normalizers.StripAccents()))
    out, last = [], 0
    for c in range(0x110000):
        now = unicodedata2.combining(chr(c)) if c in marks else 0
        if now != last:
            out.append("0x%X" % (c << 8 | now))
        last = now
    return array("uint32_t", "CombiningClasses", out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("src/text"))
    out = parser.parse_args().out
    check_versions()
    tail = "}  // namespace galago::unicode::tables\n"
    head = HEAD.format(what="Properties and case of code points, as ranges.")
    text = head + property_tables() + script_table() + case_tables() + tail
    (out / "unicode_tables.cc").write_text(text)
    head = HEAD.format(what="Decompositions and combining classes of Unicode 9.")
    (out / "unicode_decompositions.cc").write_text(head + decompositions() + combining_classes() + tail)


if __name__ == "__main__":
    main()
