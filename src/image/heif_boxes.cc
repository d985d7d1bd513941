// The boxes of a HEIC or AVIF file that say how large its primary picture is and how it is turned. In: the
// file. Out: HeifPicture. Every box is cut to the one around it and to the file. Reference: ISO 14496-12
// (ftyp, meta, pitm, iref, clap), ISO 23008-12 (iprp, ipco, ipma, ispe, irot, imir), ISO 14496-15 (hvcC), AV1
// in ISOBMFF (av1C).
#include <optional>
#include <string_view>

#include "core/limits.h"
#include "image/heif.h"

namespace galago {
namespace {

constexpr size_t kMostTransforms = 16;
constexpr size_t kMostProperties = 0x7FFF;  // that an association can name
constexpr size_t kColorBytes = 11;          // of a colr box that holds a profile of numbers

[[noreturn]] void throw_boxes(const std::string& where, const std::string& got) {
  throw_invalid_image(where, got, "a HEIC or AVIF image");
}

/// Bytes that are taken from the front.
class Bytes {
 public:
  Bytes(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(&where) {}

  bool empty() const { return bytes_.empty(); }
  size_t size() const { return bytes_.size(); }
  const char* begin() const { return bytes_.data(); }
  const std::string& where() const { return *where_; }

  std::string_view take(uint64_t count) {
    if (count > bytes_.size()) throw_boxes(*where_, "boxes that end early");
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

  uint64_t number(int bytes) {
    uint64_t value = 0;
    for (const char c : take(static_cast<uint64_t>(bytes))) value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }

 private:
  std::string_view bytes_;
  const std::string* where_;
};

struct Box {
  std::string_view name;
  Bytes body;
};

Box next_box(Bytes& from) {
  Bytes start = from;
  uint64_t size = from.number(4);
  const std::string_view name = from.take(4);
  uint64_t head = 8;
  if (size == 1) {
    size = from.number(8);
    head = 16;
  }
  if (size == 0) {  // to the end
    Box last{name, from};
    from = Bytes({}, from.where());
    return last;
  }
  if (size < head) throw_boxes(from.where(), "a box of " + std::to_string(size) + " bytes");
  return {name, Bytes(from.take(size - head), start.where())};
}

std::optional<Bytes> look_for_box(Bytes in, std::string_view name) {
  while (!in.empty()) {
    const Box box = next_box(in);
    if (box.name == name) return box.body;
  }
  return std::nullopt;
}

Bytes find_box(const Bytes& in, std::string_view name) {
  const std::optional<Bytes> found = look_for_box(in, name);
  if (!found) throw_boxes(in.where(), "no box " + std::string(name));
  return *found;
}

bool names_avif(Bytes types) {
  while (!types.empty()) {
    const std::string_view brand = types.take(4);
    if (brand == "avif" || brand == "avis") return true;
  }
  return false;
}

uint64_t primary_item(Bytes meta) {
  Bytes primary = find_box(meta, "pitm");
  const uint64_t version = primary.number(4) >> 24;
  return primary.number(version == 0 ? 2 : 4);
}

// The numbers of the item's properties, from 1, in their order.
std::vector<uint64_t> properties_of(Bytes associations, uint64_t item) {
  const uint64_t head = associations.number(4);
  const int item_bytes = head >> 24 == 0 ? 2 : 4;
  const bool wide = (head & 1) != 0;
  std::vector<uint64_t> numbers;
  for (uint64_t left = associations.number(4); left > 0; --left) {
    const bool wanted = associations.number(item_bytes) == item;
    for (uint64_t count = associations.number(1); count > 0; --count) {
      const uint64_t number = associations.number(wide ? 2 : 1) & (wide ? 0x7FFFU : 0x7FU);
      if (wanted) numbers.push_back(number);
    }
    if (wanted) break;
  }
  return numbers;
}

HeifCrop crop_of(Bytes body) {
  HeifCrop crop{};
  for (auto* fraction : {&crop.width, &crop.height, &crop.x, &crop.y}) {
    for (int64_t& part : *fraction) part = static_cast<int32_t>(body.number(4));
    if ((*fraction)[1] <= 0) throw_boxes(body.where(), "a clean aperture divided by zero");
  }
  return crop;
}

// A picture cut into tiles: the item of the first one, else the item itself.
uint64_t first_tile(const Bytes& meta, uint64_t item) {
  std::optional<Bytes> references = look_for_box(meta, "iref");
  if (!references) return item;
  const int bytes = references->number(4) >> 24 == 0 ? 2 : 4;
  while (!references->empty()) {
    Box reference = next_box(*references);
    const bool wanted = reference.body.number(bytes) == item && reference.name == "dimg";
    if (wanted && reference.body.number(2) > 0) return reference.body.number(bytes);
  }
  return item;
}

// Whether another item, such as the alpha, says that it belongs to this one.
bool has_auxiliary(const Bytes& meta, uint64_t item) {
  std::optional<Bytes> references = look_for_box(meta, "iref");
  if (!references) return false;
  const int bytes = references->number(4) >> 24 == 0 ? 2 : 4;
  while (!references->empty()) {
    Box reference = next_box(*references);
    if (reference.name != "auxl") continue;
    reference.body.number(bytes);
    for (uint64_t left = reference.body.number(2); left > 0; --left)
      if (reference.body.number(bytes) == item) return true;
  }
  return false;
}

// How the samples are coded; other boxes say nothing of it.
void add_coding(Box box, HeifPicture& picture) {
  if (box.name == "hvcC") {
    constexpr std::array<HeifChroma, 4> formats = {HeifChroma::none, HeifChroma::half_both,
                                                   HeifChroma::half_width, HeifChroma::whole};
    box.body.take(16);
    picture.chroma = formats[box.body.number(1) & 3];
    picture.bits = 8 + static_cast<int>(box.body.number(1) & 7);
  }
  if (box.name != "av1C") return;
  box.body.take(2);
  const uint64_t flags = box.body.number(1);
  picture.bits = (flags & 64) == 0 ? 8 : (flags & 32) == 0 ? 10 : 12;
  if ((flags & 16) != 0)
    picture.chroma = HeifChroma::none;
  else if ((flags & 8) == 0)
    picture.chroma = HeifChroma::whole;
  else
    picture.chroma = (flags & 4) == 0 ? HeifChroma::half_width : HeifChroma::half_both;
}

void add_property(Box box, HeifPicture& picture) {
  using Kind = HeifTransform::Kind;
  if (box.name == "ispe") {
    box.body.take(4);
    picture.size.width = static_cast<int64_t>(box.body.number(4));
    picture.size.height = static_cast<int64_t>(box.body.number(4));
  } else if (box.name == "irot") {
    picture.transforms.push_back({.kind = Kind::rotate, .value = static_cast<int>(box.body.number(1) & 3)});
  } else if (box.name == "imir") {
    picture.transforms.push_back({.kind = Kind::mirror, .value = static_cast<int>(box.body.number(1) & 1)});
  } else if (box.name == "colr" && box.body.size() >= kColorBytes && box.body.take(4) == "nclx") {
    box.body.take(4);
    picture.profile.emplace();
    picture.profile->matrix = static_cast<int>(box.body.number(2));
    picture.profile->full_range = box.body.number(1) >> 7 != 0;
  } else if (box.name == "clap") {
    picture.transforms.push_back({.kind = Kind::crop, .crop = crop_of(box.body)});
  }
  if (picture.transforms.size() > kMostTransforms)
    throw_boxes(box.body.where(), "more than " + std::to_string(kMostTransforms) + " transforms");
}

}  // namespace

HeifPicture read_heif_boxes(const EncodedImage& file) {
  const Bytes whole({reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()}, file.where);
  HeifPicture picture;
  Bytes types = find_box(whole, "ftyp");
  picture.is_avif = names_avif(types);
  Bytes meta = find_box(whole, "meta");
  meta.take(4);  // version and flags
  const uint64_t item = primary_item(meta);
  const Bytes properties = find_box(meta, "iprp");
  const Bytes associations = find_box(properties, "ipma");
  std::vector<Box> boxes;
  for (Bytes container = find_box(properties, "ipco");
       !container.empty() && boxes.size() < kMostProperties;) {
    boxes.push_back(next_box(container));
    const Bytes& body = boxes.back().body;
    if (boxes.back().name == "colr" && body.size() >= kColorBytes)
      picture.color_boxes.push_back({static_cast<size_t>(body.begin() - whole.begin()), body.size()});
  }
  const auto for_each_property = [&](uint64_t of, auto take) {
    for (const uint64_t number : properties_of(associations, of))
      if (number >= 1 && number <= boxes.size()) take(boxes[number - 1]);
  };
  for_each_property(item, [&](const Box& box) { add_property(box, picture); });
  for_each_property(first_tile(meta, item), [&](const Box& box) {
    add_coding(box, picture);
    if (!picture.profile && box.name == "colr") add_property(box, picture);
  });
  picture.auxiliary = has_auxiliary(meta, item);
  check_image_size(picture.size, file.where);
  return picture;
}

}  // namespace galago
