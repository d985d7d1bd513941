// The file is read once, when it is named.
#include "models/given_template.h"

#include <utility>

#include "core/limits.h"
#include "galago/error.h"
#include "io/files.h"
#include "text/prompt/chat_template.h"

namespace galago {
namespace {

class FilesWithTemplate final : public ModelFiles {
 public:
  FilesWithTemplate(std::shared_ptr<const ModelFiles> files, NamedText given)
      : files_(std::move(files)), given_(std::move(given)) {}

  const std::filesystem::path& path() const override { return files_->path(); }
  std::optional<std::string> find(const std::string& name, int64_t limit) const override {
    return files_->find(name, limit);
  }
  std::string where(const std::string& name) const override { return files_->where(name); }
  Checkpoint checkpoint() const override { return files_->checkpoint(); }
  std::string why_no_pictures() const override { return files_->why_no_pictures(); }
  std::vector<std::string> notes() const override { return files_->notes(); }
  std::optional<NamedText> given_template() const override { return given_; }

 private:
  std::shared_ptr<const ModelFiles> files_;
  NamedText given_;
};

// A JSON object, as chat_template.json and tokenizer_config.json are; a template begins otherwise.
std::optional<Json> json_object(const std::string& text, const std::string& where) {
  try {
    Json document = parse_json(text, where);
    if (document.is_object()) return document;
  } catch (const Error&) {
    // A template, then.
  }
  return std::nullopt;
}

std::string template_of(const std::string& text, const std::string& where) {
  if (const std::optional<Json> document = json_object(text, where)) {
    if (const auto source = template_in(*document, where)) return *source;
    throw Error(ErrorCode::model_invalid,
                {.where = where,
                 .got = "a JSON object without chat_template",
                 .expected = "a Jinja template, or a JSON file with chat_template"});
  }
  return text;
}

}  // namespace

std::shared_ptr<const ModelFiles> with_template(std::shared_ptr<const ModelFiles> files,
                                                const std::filesystem::path& chat_template) {
  const std::string where = chat_template.string();
  std::string text = template_of(read_text_file(chat_template, limits::kConfigBytes), where);
  return std::make_shared<FilesWithTemplate>(std::move(files),
                                             NamedText{.text = std::move(text), .where = where});
}

}  // namespace galago
