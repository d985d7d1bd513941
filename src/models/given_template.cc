// The file is read once, when it is named.
#include "models/given_template.h"

#include <utility>

#include "core/limits.h"
#include "io/files.h"

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

}  // namespace

std::shared_ptr<const ModelFiles> with_template(std::shared_ptr<const ModelFiles> files,
                                                const std::filesystem::path& chat_template) {
  return std::make_shared<FilesWithTemplate>(
      std::move(files), NamedText{.text = read_text_file(chat_template, limits::kTemplateBytes),
                                  .where = chat_template.string()});
}

}  // namespace galago
