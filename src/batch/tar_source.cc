// Archives of pictures. Reference: WebDataset: members that follow one another and whose names are the same
// up to the first dot of the last part are one item.
#include <span>
#include <utility>

#include "batch/file_sources.h"
#include "batch/line_fields.h"
#include "batch/tar_reader.h"
#include "core/limits.h"
#include "core/words.h"

namespace galago::batch {
namespace {

constexpr int64_t kMostText = 16 << 20;  // of what stands beside a picture

std::pair<std::string, std::string> key_and_ending(const std::string& name) {
  const size_t slash = name.rfind('/');
  const size_t dot = name.find('.', slash == std::string::npos ? 1 : slash + 2);
  if (dot == std::string::npos) return {name, ""};
  return {name.substr(0, dot), lower_ascii(name.substr(dot))};
}

std::string read(const ByteFile& file, const TarMember& member, int64_t limit) {
  const std::string where = file.path().string() + ": " + member.name;
  if (member.size > limit)
    throw Error(ErrorCode::input_too_large, {.where = where,
                                             .got = std::to_string(member.size) + " bytes",
                                             .expected = "at most " + std::to_string(limit)});
  std::string bytes(static_cast<size_t>(member.size), '\0');
  if (file.read(member.offset, bytes) != bytes.size())
    throw Error(ErrorCode::input_invalid,
                {.where = where, .got = "the end of the file", .expected = "all of its bytes"});
  return bytes;
}

/// What belongs to one item.
struct Group {
  std::string key;
  std::vector<TarMember> pictures;
  std::optional<TarMember> text, json;
};

Request request_of(const ByteFile& file, const Group& group, const Columns& columns, const Request& base) {
  const std::string where = file.path().string() + ": " + group.key;
  if (std::ssize(group.pictures) > limits::kImagesPerPrompt)
    throw Error(ErrorCode::input_too_large,
                {.where = where,
                 .got = "more pictures",
                 .expected = "at most " + std::to_string(limits::kImagesPerPrompt)});
  const OwnPictures own = {.count = group.pictures.size(), .open = [&](size_t i) {
                             const TarMember& picture = group.pictures[i];
                             const std::string bytes = read(file, picture, limits::kImageBytes);
                             return Image::from_bytes(std::as_bytes(std::span(bytes)),
                                                      file.path().string() + ": " + picture.name);
                           }};
  Request request = base;
  if (group.text && base.prompt.empty()) request.prompt = read(file, *group.text, kMostText);
  OrderedJson json = OrderedJson::object();
  if (group.json) json = parse_ordered_json(read(file, *group.json, kMostText), where + ".json");
  if (!json.is_object()) json = OrderedJson::object();
  read_fields(json, columns, {}, where + ".json", own, request);
  check_question(request, where);
  return request;
}

class TarSource final : public Source {
 public:
  TarSource(const std::filesystem::path& file, const SourceOptions& options)
      : tar_(file), columns_(options.columns) {}

  std::optional<Item> next() override {
    while (!over_) {
      const Group group = next_group();
      if (!group.pictures.empty()) return item_of(group);
    }
    if (!fault_) return {};
    const Error error = *std::exchange(fault_, {});
    return error_item(error.where(), error);
  }

 private:
  Group next_group() {
    Group group;
    bool any = false;
    for (;;) {
      if (!ahead_) read_ahead();
      if (!ahead_) return group;
      const auto [key, ending] = key_and_ending(ahead_->name);
      if (any && key != group.key) return group;
      any = true;
      group.key = key;
      add(group, std::move(*std::exchange(ahead_, {})), ending);
    }
  }

  // Hidden files are what other systems put beside pictures: ._0001.jpg.
  static void add(Group& group, TarMember member, const std::string& ending) {
    if (std::string_view(member.name).substr(member.name.rfind('/') + 1).starts_with('.')) return;
    if (ends_like_picture(ending)) {
      if (std::ssize(group.pictures) <= limits::kImagesPerPrompt) group.pictures.push_back(std::move(member));
    } else if (ending == ".txt") {
      group.text = std::move(member);
    } else if (ending == ".json") {
      group.json = std::move(member);
    }
  }

  // What is wrong with the archive is its last item.
  void read_ahead() {
    try {
      ahead_ = tar_.next();
      over_ = !ahead_;
    } catch (const Error& error) {
      fault_ = error;
      over_ = true;
    }
  }

  Item item_of(const Group& group) const {
    Item item{.id = group.key};
    item.identity = group.key;
    for (const TarMember& picture : group.pictures)
      item.identity +=
          "|" + picture.name + ":" + std::to_string(picture.offset) + "+" + std::to_string(picture.size);
    item.request = [group, file = tar_.file(), columns = columns_](const Request& base) {
      return request_of(file, group, columns, base);
    };
    return item;
  }

  TarReader tar_;
  Columns columns_;
  std::optional<TarMember> ahead_;
  std::optional<Error> fault_;
  bool over_ = false;
};

}  // namespace

std::unique_ptr<Source> tar_source(const std::filesystem::path& file, const SourceOptions& options) {
  return std::make_unique<TarSource>(file, options);
}

}  // namespace galago::batch
