// Errors name the template, the line and the limit. Units: steps are visits of a node or items of a list,
// bytes are those of every text that is made.
#include "text/jinja/meter.h"

namespace galago::jinja {

void Meter::step(int64_t count) {
  steps_left_ -= count;
  if (steps_left_ < 0)
    invalid("more than " + std::to_string(limits::kTemplateSteps) + " steps",
            "a template that ends within its budget");
}

void Meter::text(int64_t bytes) {
  length(bytes);
  bytes_left_ -= bytes;
  if (bytes_left_ < 0) too_long();
}

void Meter::read(size_t bytes) {
  reads_left_ -= static_cast<int64_t>(bytes);
  if (reads_left_ < 0)
    invalid("texts looked through for more than " + std::to_string(kReads * longest_text_) + " bytes",
            "a template that ends within its budget");
}

void Meter::length(int64_t bytes) const {
  if (bytes > longest_text_) too_long();
}

void Meter::too_long() const {
  invalid("text over the budget of " + std::to_string(longest_text_) + " bytes",
          "a template that writes at most " + std::to_string(limits::kTemplateBytes) +
              " bytes beside its messages");
}

void Meter::fail(ErrorCode code, const std::string& got, const std::string& expected) const {
  throw Error(code, {.where = where_ + ": line " + std::to_string(line_), .got = got, .expected = expected});
}

}  // namespace galago::jinja
