// See the header.
#include "documents/doctags_parser.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "documents/doclang_lexer.h"
#include "documents/doctags_lexer.h"
#include "documents/document_builder.h"
#include "documents/document_limits.h"

namespace galago::documents {

namespace {

constexpr std::string_view kDocLang = "<doclang";

}  // namespace

class DocTagsParser::Impl {
 public:
  void push(std::string_view piece, const TokenSum& sum) {
    const size_t room = limits::kDocumentBytes - read_;
    full_ = full_ || piece.size() > room;
    piece = piece.substr(0, room);
    read_ += piece.size();
    switch (format_) {
      case Format::unknown:
        return look(piece, sum);
      case Format::doctags:
        return doctags_.push(piece, sum, builder_);
      case Format::doclang:
        return doclang_.push(piece, sum, builder_);
    }
  }

  Document finish() {
    if (format_ == Format::unknown) begin(Format::doctags);
    const bool doclang = format_ == Format::doclang;
    doclang ? doclang_.finish(builder_) : doctags_.finish(builder_);
    if (full_) builder_.stop("kDocumentBytes", limits::kDocumentBytes);
    return builder_.finish(doclang ? doclang_.here() : doctags_.here());
  }

 private:
  enum class Format : uint8_t { unknown, doctags, doclang };

  /// The first tag tells the format.
  void look(std::string_view piece, const TokenSum& sum) {
    first_.emplace_back(piece, sum);
    for (const char byte : piece) {
      if (tag_.empty() && byte != '<') continue;
      tag_ += byte;
      if (tag_ == "<?" || tag_ == "<!") {  // of XML, in front of the first tag
        tag_.clear();
        continue;
      }
      if (!kDocLang.starts_with(tag_)) return begin(Format::doctags);
      if (tag_ == kDocLang) return begin(Format::doclang);
    }
  }

  void begin(Format format) {
    format_ = format;
    if (format == Format::doclang) builder_.trust_tags();
    for (const auto& [piece, sum] : std::exchange(first_, {})) {
      format == Format::doclang ? doclang_.push(piece, sum, builder_) : doctags_.push(piece, sum, builder_);
    }
  }

  Format format_ = Format::unknown;
  std::vector<std::pair<std::string, TokenSum>> first_;
  std::string tag_;
  DocTagsLexer doctags_;
  DocLangLexer doclang_;
  DocumentBuilder builder_;
  size_t read_ = 0;
  bool full_ = false;
};

DocTagsParser::DocTagsParser() : impl_(std::make_unique<Impl>()) {}
DocTagsParser::~DocTagsParser() = default;
DocTagsParser::DocTagsParser(DocTagsParser&&) noexcept = default;
DocTagsParser& DocTagsParser::operator=(DocTagsParser&&) noexcept = default;

void DocTagsParser::push(std::string_view text) { impl_->push(text, {}); }

void DocTagsParser::push(std::string_view piece, double logprob) {
  static constexpr double kLeast = -100;
  const double bounded = logprob >= kLeast ? std::min(logprob, 0.0) : kLeast;
  impl_->push(piece, {.tokens = 1, .logprob = bounded});
}

Document DocTagsParser::finish() {
  Document document = impl_->finish();
  impl_ = std::make_unique<Impl>();
  return document;
}

Document parse_doctags(std::string_view text) {
  DocTagsParser parser;
  parser.push(text);
  return parser.finish();
}

}  // namespace galago::documents
