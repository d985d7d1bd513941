// galago::Image and galago::Video for Python. Pixels come in as any array that lies in memory, and go out as
// a view.
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <string>
#include <vector>

#include "bindings.h"
#include "core/checked.h"
#include "core/limits.h"
#include "galago/ffmpeg.h"
#include "interruptible.h"
#include "messages/uri.h"

namespace galago::python {
namespace {

using AnyArray = nb::ndarray<nb::ro>;

std::string shape_of(const AnyArray& array) {
  std::string text;
  for (size_t i = 0; i < array.ndim(); ++i) text += (i == 0 ? "[" : ", ") + std::to_string(array.shape(i));
  return text.empty() ? "[]" : text + "]";
}

std::string type_of(const AnyArray& array) {
  const nb::dlpack::dtype type = array.dtype();
  const std::string bits = std::to_string(type.bits);
  switch (static_cast<nb::dlpack::dtype_code>(type.code)) {
    case nb::dlpack::dtype_code::Int:
      return "int" + bits;
    case nb::dlpack::dtype_code::UInt:
      return "uint" + bits;
    case nb::dlpack::dtype_code::Float:
      return "float" + bits;
    case nb::dlpack::dtype_code::Bfloat:
      return "bfloat" + bits;
    case nb::dlpack::dtype_code::Bool:
      return "bool";
    default:
      return "another type of " + bits + " bits";
  }
}

[[noreturn]] void refuse(const std::string& got, const std::string& expected, const std::string& hint = "") {
  throw Error(ErrorCode::input_invalid, {.where = "image", .got = got, .expected = expected, .hint = hint});
}

void check_pixels(const AnyArray& array) {
  if (array.device_type() != nb::device::cpu::value)
    refuse("an array that is not in the processor's memory", "one that is", "tensor.cpu()");
  if (array.dtype() != nb::dtype<uint8_t>())
    refuse(type_of(array), "uint8 from 0 to 255",
           "(array * 255).round().astype(\"uint8\") of floats from 0 to 1");
  const bool rgb = array.ndim() == 3 && array.shape(2) == 3;
  const bool channels_first = array.ndim() == 3 && array.shape(0) == 3;
  if (!rgb)
    refuse("shape " + shape_of(array), "[height, width, 3]",
           channels_first ? "array.transpose(1, 2, 0), tensor.permute(1, 2, 0)" : "");
}

// An array may say that it is larger than memory: strides of 0.
void check_size(int64_t width, int64_t height) {
  const auto pixels = checked_mul(width, height);
  if (pixels && *pixels <= limits::kImagePixels && width <= limits::kImageSide &&
      height <= limits::kImageSide)
    return;
  throw Error(ErrorCode::input_too_large,
              {.where = "image",
               .got = std::to_string(width) + " x " + std::to_string(height) + " pixels",
               .expected = "at most " + std::to_string(limits::kImagePixels) + ", and " +
                           std::to_string(limits::kImageSide) + " on a side"});
}

// Row by row, whatever the array's strides are.
Image image_of_array(const AnyArray& array) {
  check_pixels(array);
  const auto height = static_cast<int64_t>(array.shape(0));
  const auto width = static_cast<int64_t>(array.shape(1));
  check_size(width, height);
  const auto* pixels = static_cast<const uint8_t*>(array.data());
  const int64_t down = array.stride(0), right = array.stride(1), deep = array.stride(2);
  const auto count = static_cast<size_t>(height * width * 3);
  const bool packed = right == 3 && deep == 1 && (down == width * 3 || height == 1);
  const nb::gil_scoped_release unlocked;
  if (count == 0 || packed) return Image::from_rgb(width, height, {pixels, count});
  std::vector<uint8_t> rows(count);
  uint8_t* to = rows.data();
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < 3; ++c) *to++ = pixels[y * down + x * right + c * deep];
  return Image::from_rgb(width, height, rows);
}

Image open_word(const std::string& word) {
  if (has_scheme(word, "data:")) {
    const std::string bytes = picture_of_data_uri(word);
    return Image::from_bytes(std::as_bytes(std::span(bytes)), "data: URI");
  }
  return Image::open(has_scheme(word, "file:") ? file_of_uri(word) : std::filesystem::path(word));
}

Video open_video(const std::filesystem::path& path, std::optional<double> fps) {
  if (!Video::needs_ffmpeg(path)) return Video::open(path, fps);
  FfmpegOptions options;
  options.fps = fps;
  return Video::open_with_ffmpeg(path, options);
}

// What numpy and Pillow read without a copy.
nb::dict array_interface(const Image& image) {
  nb::dict all;
  all["version"] = 3;
  all["shape"] = nb::make_tuple(image.height(), image.width(), 3);
  all["typestr"] = "|u1";
  all["data"] = nb::make_tuple(reinterpret_cast<uintptr_t>(image.pixels().data()), true);
  return all;
}

}  // namespace

std::filesystem::path path_of(const nb::bytes& encoded) {
  return std::string(encoded.c_str(), encoded.size());
}

std::span<const std::byte> bytes_of(const nb::bytes& object) {
  return {static_cast<const std::byte*>(object.data()), object.size()};
}

void bind_images(nb::module_& module) {
  nb::class_<Image>(module, "Image",
                    "A decoded picture: RGB, 8 bits each. It never changes, and is cheap to pass on.")
      .def_static(
          "from_word", [](const std::string& word) { return interruptible([=] { return open_word(word); }); },
          nb::arg("word"), "The picture that a path, a data: URI or a file: URI names.")
      .def_static(
          "from_path",
          [](const nb::bytes& path) {
            return interruptible([path = path_of(path)] { return Image::open(path); });
          },
          nb::arg("path"), "A file's picture; its path as os.fsencode gives it.")
      .def_static(
          "from_bytes",
          [](const nb::bytes& bytes) {
            const auto* data = static_cast<const char*>(bytes.data());
            return interruptible([own = std::string(data, bytes.size())] {
              return Image::from_bytes(std::as_bytes(std::span(own)), "image");
            });
          },
          nb::arg("bytes"), "The picture of a file's bytes.")
      .def_static("from_array", &image_of_array, nb::arg("array").noconvert(),
                  nb::sig("def from_array(array: typing.Any) -> Image"),
                  "The picture of a uint8 array of shape [height, width, 3], red first: numpy, or a tensor "
                  "by DLPack.")
      .def_static(
          "from_rgb",
          [](int64_t width, int64_t height, const nb::bytes& pixels) {
            return Image::from_rgb(width, height,
                                   {static_cast<const uint8_t*>(pixels.data()), pixels.size()});
          },
          nb::arg("width"), nb::arg("height"), nb::arg("pixels"),
          "The picture of width * height * 3 bytes, row by row.")
      .def_prop_ro("width", &Image::width, "In pixels.")
      .def_prop_ro("height", &Image::height, "In pixels.")
      .def_prop_ro("__array_interface__", &array_interface,
                   nb::sig("def __array_interface__(self) -> dict[str, typing.Any]"),
                   "The pixels where they lie, uint8 of shape [height, width, 3]: numpy.asarray(image).")
      .def("with_split", &Image::with_split, nb::arg("split"),
           "The same picture, to be cut into tiles or encoded as one, whatever the request says.")
      .def("__repr__", [](const Image& image) {
        return "galago.Image(" + std::to_string(image.width()) + "x" + std::to_string(image.height()) + ")";
      });
  nb::class_<Video>(module, "Video", "Frames at a steady rate. It never changes, and is cheap to pass on.")
      .def_static(
          "from_path",
          [](const nb::bytes& path, std::optional<double> fps) {
            return interruptible([path = path_of(path), fps] { return open_video(path, fps); });
          },
          nb::arg("path"), nb::arg("fps").none(),
          "A video's file, or a folder of pictures; its path as os.fsencode gives it. fps: frames of it that "
          "make a second, of a folder.")
      .def_static(
          "from_frames",
          [](const std::vector<Image>& frames, double fps) { return Video::from_frames(frames, fps); },
          nb::arg("frames"), nb::arg("fps"), "Pictures of one size.")
      .def_prop_ro("frames", &Video::frames, "How many there are.")
      .def_prop_ro("fps", &Video::fps, "Frames a second.")
      .def_prop_ro("seconds", &Video::seconds, "Its length.")
      .def("__repr__", [](const Video& video) {
        return "galago.Video(" + std::to_string(video.frames()) + " frames, " +
               std::to_string(video.seconds()) + " s)";
      });
}

}  // namespace galago::python
