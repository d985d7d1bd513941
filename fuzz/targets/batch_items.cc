// Files of items for galago batch: the first byte says which (lines of JSON, a table of either kind, a list,
// an archive), the rest is the file. However broken it is, the same items come twice, each with an id, and
// each gives a request or an error.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "batch/sources.h"
#include "batch/tar_reader.h"
#include "image/image.h"
#include "support/fuzz.h"

using namespace galago;
using namespace galago::batch;

namespace {

struct Kind {
  const char* name;
  Form form;
};
constexpr std::array<Kind, 5> kKinds = {{{"items.jsonl", Form::jsonl},
                                         {"items.csv", Form::csv},
                                         {"items.tsv", Form::csv},
                                         {"items.txt", Form::list},
                                         {"items.tar", Form::tar}}};
constexpr int64_t kPixels = 1 << 20;  // larger pictures are honest work of seconds
constexpr size_t kHead = 4096;

// Whether a member is a picture that takes long.
bool has_large_picture(const std::filesystem::path& path) {
  bool large = false;
  fuzz::accept([&] {
    TarReader tar(path);
    while (const auto member = tar.next()) {
      fuzz::require(member->offset >= 0 && member->size >= 0 &&
                    member->offset + member->size <= tar.file().size());
      std::string head(std::min(kHead, static_cast<size_t>(member->size)), '\0');
      tar.file().read(member->offset, head);
      fuzz::accept([&] {
        const ImageSize size = read_image_size(std::as_bytes(std::span(head)), member->name);
        large = large || size.width * size.height > kPixels;
      });
    }
  });
  return large;
}

std::vector<std::string> ids_of(const std::filesystem::path& path, Form form, bool requests) {
  std::vector<std::string> ids;
  const SourceOptions options{
      .form = form, .columns = {}, .image_root = fuzz::scratch() / "none", .read_call = {}};
  const auto source = open_source({path.string()}, options);
  Request base;
  base.prompt = "What?";
  while (const auto item = source->next()) {
    fuzz::require(!item->id.empty() || form != Form::csv);
    ids.push_back(item->id + "|" + item->identity);
    if (requests) fuzz::accept([&] { item->request(base); });
  }
  return ids;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Kind& kind = kKinds[data[0] % kKinds.size()];
  const std::string_view text = fuzz::as_text(data + 1, size - 1);
  // Pictures in the text itself, and files of this machine, belong to other targets.
  if (text.find(";base64,") != std::string_view::npos) return 0;
  const auto path = fuzz::scratch_file(kind.name, text);
  const bool requests = kind.form != Form::tar || !has_large_picture(path);
  std::vector<std::string> first;
  if (fuzz::accept([&] { first = ids_of(path, kind.form, requests); }))
    fuzz::require(ids_of(path, kind.form, false) == first);
  return 0;
}
