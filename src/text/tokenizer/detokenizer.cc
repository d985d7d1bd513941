// Each decoder is a step that takes fragments of tokens and gives fragments of tokens; a stream owns its
// steps. A step that needs whole tokens cannot stand behind one that joins them: from_json sees to it.
// Reference: `tokenizers` decoders.
#include "text/tokenizer/detokenizer.h"

#include <optional>
#include <utility>

#include "core/printable.h"
#include "galago/error.h"
#include "text/growth.h"
#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/metaspace.h"
#include "text/tokenizer/pattern.h"
#include "text/tokenizer/steps.h"
#include "text/unicode/unicode.h"

namespace galago {
namespace {

/// Bytes of all tokens as one text; bytes that are no UTF-8 become U+FFFD.
class ByteLevelStep final : public DecodeStep {
 public:
  void push(Fragment fragment, const Sink& out) override {
    pending_ += from_byte_alphabet(fragment.text);
    emit(unicode::take_text(pending_, false), out);
  }
  void finish(const Sink& out) override { emit(unicode::take_text(pending_, true), out); }

 private:
  void emit(std::string text, const Sink& out) {
    out({std::move(text), first_});
    first_ = false;
  }
  std::string pending_;
  bool first_ = true;
};

/// The byte of "<0x41>"; nothing for another token.
std::optional<char> byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const char lower = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') {
      value = value * 16 + (c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value * 16 + (lower - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  return static_cast<char>(value);
}

/// Runs of byte tokens become text, or one U+FFFD a byte when the run as a whole is no UTF-8: so a run waits
/// for its end.
class ByteFallbackStep final : public DecodeStep {
 public:
  void push(Fragment fragment, const Sink& out) override {
    if (const auto byte = byte_of(fragment.text)) {
      run_.push_back(*byte);
      return;
    }
    finish(out);
    out(std::move(fragment));
  }
  void finish(const Sink& out) override {
    if (run_.empty()) return;
    if (unicode::find_malformed(run_) == std::string::npos) {
      out({std::move(run_), true});
    } else {
      for (size_t i = 0; i < run_.size(); ++i) out({"\xEF\xBF\xBD", true});
    }
    run_.clear();
  }

 private:
  std::string run_;
};

/// Tokens joined into one.
class FuseStep final : public DecodeStep {
 public:
  void push(Fragment fragment, const Sink& out) override {
    out({std::move(fragment.text), first_});
    first_ = false;
  }

 private:
  bool first_ = true;
};

std::string replace_all(std::string_view text, const Pattern& pattern, const std::string& content) {
  const size_t most = most_decoded(text.size());
  std::string out;
  size_t at = 0;
  pattern.for_each(text, [&](const Span& span) {
    check_grown(out.size() + (span.begin - at) + content.size(), most, "decoder", ErrorCode::model_invalid);
    out.append(text.substr(at, span.begin - at));
    out += content;
    at = span.end;
  });
  check_grown(out.size() + (text.size() - at), most, "decoder", ErrorCode::model_invalid);
  out.append(text.substr(at));
  return out;
}

class ReplaceStep final : public DecodeStep {
 public:
  ReplaceStep(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void push(Fragment fragment, const Sink& out) override {
    fragment.text = replace_all(fragment.text, pattern_, content_);
    out(std::move(fragment));
  }

 private:
  Pattern pattern_;
  std::string content_;
};

/// Takes `start` leading and `stop` trailing copies of a character off each token.
class StripStep final : public DecodeStep {
 public:
  StripStep(std::string content, size_t start, size_t stop)
      : content_(std::move(content)), start_(start), stop_(stop) {}

  void push(Fragment fragment, const Sink& out) override {
    if (fragment.begins) {
      finish(out);
      leading_ = start_;
      begins_ = true;
    }
    std::string text;
    const std::string_view in = fragment.text;
    for (size_t i = 0; i < in.size();) {
      const auto length = static_cast<size_t>(unicode::decode_at(in, i).length);
      take(in.substr(i, length), text);
      i += length;
    }
    emit(std::move(text), out);
  }

  void finish(const Sink& out) override {
    // At most stop_ characters are held at any time: they are the ones to drop.
    held_ = 0;
    emit({}, out);
  }

 private:
  void take(std::string_view character, std::string& text) {
    if (character == content_) {
      if (leading_ > 0) {
        --leading_;
      } else if (held_ < stop_) {
        ++held_;
      } else {
        text += character;  // one more at the end: the oldest held one is certain
      }
      return;
    }
    leading_ = 0;
    for (; held_ > 0; --held_) text += content_;
    text += character;
  }

  void emit(std::string text, const Sink& out) {
    if (text.empty()) return;
    out({std::move(text), begins_});
    begins_ = false;
  }

  std::string content_;
  size_t start_;
  size_t stop_;
  size_t leading_ = 0;
  size_t held_ = 0;
  bool begins_ = true;
};

/// The replacement character becomes a space; in the first token it goes when one was put there on the way
/// in.
class MetaspaceStep final : public DecodeStep {
 public:
  MetaspaceStep(std::string replacement, bool prepended)
      : replacement_(std::move(replacement)), prepended_(prepended) {}
  void push(Fragment fragment, const Sink& out) override {
    if (fragment.begins) ++tokens_;
    const bool drop = tokens_ <= 1 && prepended_;
    fragment.text = replace_all(fragment.text, Pattern::literal(replacement_), drop ? "" : " ");
    out(std::move(fragment));
  }

 private:
  std::string replacement_;
  bool prepended_;
  size_t tokens_ = 0;
};

/// Spaces between tokens, where a file names no decoder.
class SpaceStep final : public DecodeStep {
 public:
  void push(Fragment fragment, const Sink& out) override {
    if (!first_) fragment.text.insert(0, 1, ' ');
    first_ = false;
    out(std::move(fragment));
  }

 private:
  bool first_ = true;
};

std::string one_character(const JsonField& field) {
  if (unicode::count(field.string()) != 1) field.fail("one character");
  return field.string();
}

[[noreturn]] void unsupported(const JsonField& field, const std::string& got, const std::string& expected) {
  throw Error(ErrorCode::model_unsupported, {.where = field.where(), .got = got, .expected = expected});
}

}  // namespace

Detokenizer::Detokenizer() {
  makers_.emplace_back([] { return std::make_unique<SpaceStep>(); });
}

Detokenizer Detokenizer::from_json(const JsonField& field) {
  Detokenizer made;
  made.makers_.clear();
  for (const JsonField& step : steps_of(field, "decoders")) made.add(step);
  return made;
}

void Detokenizer::add(const JsonField& field) {
  const std::string& type = field.at("type").string();
  if (joined_ && (type == "ByteLevel" || type == "ByteFallback" || type == "Replace"))
    unsupported(field, in_quotes(type) + " behind a decoder that joins the tokens", "it before that one");
  if (type == "ByteLevel") {
    makers_.emplace_back([] { return std::make_unique<ByteLevelStep>(); });
    token_bytes_.emplace_back(from_byte_alphabet);
    joined_ = true;
  } else if (type == "ByteFallback") {
    makers_.emplace_back([] { return std::make_unique<ByteFallbackStep>(); });
    token_bytes_.emplace_back([](std::string_view token) {
      const auto byte = byte_of(token);
      return byte ? std::string(1, *byte) : std::string(token);
    });
  } else if (type == "Fuse") {
    makers_.emplace_back([] { return std::make_unique<FuseStep>(); });
    joined_ = true;
  } else if (type == "Replace") {
    const Pattern pattern = Pattern::from_json(field.at("pattern"));
    const std::string content = field.at("content").string();
    makers_.emplace_back([=] { return std::make_unique<ReplaceStep>(pattern, content); });
    token_bytes_.emplace_back([=](std::string_view token) { return replace_all(token, pattern, content); });
  } else if (type == "Strip") {
    const std::string content = one_character(field.at("content"));
    const auto start = static_cast<size_t>(field.at("start").integer(0, 1 << 16));
    const auto stop = static_cast<size_t>(field.at("stop").integer(0, 1 << 16));
    makers_.emplace_back([=] { return std::make_unique<StripStep>(content, start, stop); });
  } else if (type == "Metaspace") {
    const std::string replacement = one_character(field.at("replacement"));
    const bool prepends = metaspace_scheme(field) != MetaspaceScheme::never;
    makers_.emplace_back([=] { return std::make_unique<MetaspaceStep>(replacement, prepends); });
    token_bytes_.emplace_back(
        [=](std::string_view token) { return replace_all(token, Pattern::literal(replacement), " "); });
  } else {
    unsupported(field, in_quotes(type),
                "ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip or Sequence");
  }
}

Detokenizer::Stream Detokenizer::stream() const {
  Stream stream;
  for (const Maker& maker : makers_) stream.steps_.push_back(maker());
  return stream;
}

std::string Detokenizer::bytes_of(std::string_view token) const {
  std::string bytes(token);
  for (const auto& step : token_bytes_) bytes = step(bytes);
  return bytes;
}

void Detokenizer::Stream::send(size_t step, Fragment fragment, std::string& text) {
  if (step == steps_.size()) {
    text += fragment.text;
    return;
  }
  steps_[step]->push(std::move(fragment), [&](Fragment f) { send(step + 1, std::move(f), text); });
}

std::string Detokenizer::Stream::push(std::string token) {
  std::string text;
  send(0, {std::move(token), true}, text);
  return text;
}

std::string Detokenizer::Stream::finish() {
  std::string text;
  for (size_t step = 0; step < steps_.size(); ++step)
    steps_[step]->finish([&](Fragment f) { send(step + 1, std::move(f), text); });
  return text;
}

}  // namespace galago
