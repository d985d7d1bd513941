// See the header.
#include "documents/doctags_parser.h"

#include <algorithm>

#include "documents/doctags_lexer.h"
#include "documents/document_builder.h"
#include "documents/document_limits.h"

namespace galago::documents {

class DocTagsParser::Impl {
 public:
  void push(std::string_view piece, const TokenSum& sum) {
    const size_t room = limits::kDocumentBytes - read_;
    full_ = full_ || piece.size() > room;
    piece = piece.substr(0, room);
    read_ += piece.size();
    lexer_.push(piece, sum, builder_);
  }

  Document finish() {
    lexer_.finish(builder_);
    if (full_) builder_.stop("kDocumentBytes", limits::kDocumentBytes);
    return builder_.finish(lexer_.here());
  }

 private:
  DocTagsLexer lexer_;
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
