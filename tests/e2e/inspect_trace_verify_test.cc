// `galago inspect`, `trace` and `verify` from the outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inspect/verify.h"
#include "program.h"

namespace galago::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Inspect, ShowsStationsAndTheGridOfAPicture) {
  const Finished text = galago({"inspect", "-m", tiny(), "--image", picture("shapes_100x80.png")});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("vision tower"), HasSubstr("connector"), HasSubstr("text backbone"),
                              HasSubstr("total"), HasSubstr("100x80, grid 4x4, 17 tiles, 272 image tokens")));
  EXPECT_THAT(text.err, IsEmpty());
}

TEST(Inspect, TellsTheTypesThatAreStored) {
  const TempDir folder;
  for (const std::string dtype : {"q8", "q4"}) {
    const Json counts =
        galago({"quantize", tiny(), folder.file(dtype), "--dtype", dtype, "--json"}).json()["matrices"];
    const Json shown = galago({"inspect", "-m", folder.file(dtype), "--json"}).json();
    EXPECT_EQ(shown["dtype"], dtype);
    for (const char* type : {"q4", "q8"})
      EXPECT_EQ(shown["matrices"].value(type, 0), counts.value(type, 0)) << type;
    EXPECT_THAT(galago({"inspect", "-m", folder.file(dtype)}).out, HasSubstr(": idefics3, " + dtype + " ("));
  }
  const Json plain = galago({"inspect", "-m", tiny(), "--json"}).json();
  EXPECT_EQ(plain["dtype"], "bfloat16");
  EXPECT_EQ(plain["matrices"].size(), 1U);
}

TEST(Inspect, JsonAgreesWithARun) {
  const Finished done = galago({"inspect", "-m", tiny(), "--json", "-i", picture("shapes_300x60.jpg"), "-i",
                                picture("shapes_37x90.png")});
  ASSERT_EQ(done.code, 0) << done.err;
  const Json shown = done.json();
  EXPECT_EQ(shown["model_type"], "idefics3");
  int64_t parameters = 0;
  int64_t bytes = 0;
  for (const Json& station : shown["stations"]) {
    for (const char* key : {"name", "input", "output", "tensors", "parameters", "bytes"})
      EXPECT_TRUE(station.contains(key)) << key;
    parameters += station["parameters"].get<int64_t>();
    bytes += station["bytes"].get<int64_t>();
  }
  const Checkpoint checkpoint = Checkpoint::open_directory(tiny());
  EXPECT_EQ(bytes, checkpoint.bytes());
  EXPECT_GT(parameters, 0);
  const Json ran = galago({"run", "-m", tiny(), "--json", "-n", "1", "-p", "x", "-i",
                           picture("shapes_300x60.jpg"), "-i", picture("shapes_37x90.png")})
                       .json();
  EXPECT_EQ(shown["images"], ran["images"]);
}

// The header alone and the decoded picture agree on what metadata say of its orientation.
TEST(Inspect, ATurnedPngIsTurnedInTheRunToo) {
  for (const char* name : {"png_raw_exif_text.png", "png_raw_exif_packed_after.png", "png_text_xmp.png"}) {
    const std::string file = data_path(std::string("images/") + name);
    const Json shown = galago({"inspect", "-m", tiny(), "--json", "-i", file}).json()["images"];
    EXPECT_EQ(shown[0]["width"], 20) << name;
    EXPECT_EQ(shown[0]["height"], 31) << name;
    const Json ran = galago({"run", "-m", tiny(), "--json", "-n", "1", "-p", "x", "-i", file}).json();
    EXPECT_EQ(shown, ran["images"]) << name;
  }
}

TEST(Inspect, NoSplitPlansOneTile) {
  const Json shown =
      galago({"inspect", "-m", tiny(), "--json", "--no-split", "-i", picture("shapes_640x488.jpg")}).json();
  EXPECT_EQ(shown["images"][0]["tiles"], 1);
  EXPECT_EQ(shown["images"][0]["tokens"], 16);
}

TEST(Inspect, TouchesNoWeights) {
  // Same header, but the data is a hole of a gigabyte more than anybody would want to read.
  const TempDir copy;
  copy.add_copy_of(tiny());
  const int64_t rows = int64_t{1} << 30;
  const std::string header = R"({"lm_head.weight":{"dtype":"BF16","shape":[)" + std::to_string(rows) +
                             R"(,512],"data_offsets":[0,)" + std::to_string(rows * 1024) + "]}}";
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(header.size() >> (8 * i) & 0xff);
  copy.add("model.safetensors", file + header);
  std::error_code unsupported;
  std::filesystem::resize_file(copy.path() / "model.safetensors", file.size() + header.size() + rows * 1024,
                               unsupported);
  if (unsupported) GTEST_SKIP() << "no sparse files here: " << unsupported.message();
  const Finished done = galago({"inspect", "-m", copy.path().string(), "--json"}, {.seconds = 20});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.json()["stations"].back()["parameters"], rows * 512);
}

TEST(Inspect, ReadsThePicturesHeaderAlone) {
  const TempDir directory;
  const std::string bytes = read_bytes(picture("shapes_100x80.png"));
  const std::string cut = directory.add("cut.png", std::string_view(bytes).substr(0, 200));
  const Finished done = galago({"inspect", "-m", tiny(), "--image", cut});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("100x80"));
}

TEST(Trace, WritesWhatVerifyAccepts) {
  const TempDir directory;
  const std::string name = "smolvlm_tiles";
  const std::string file = directory.file("trace.safetensors");
  const Finished done = galago({"trace", "-m", tiny(), "--image", picture("shapes_100x80.png"), "-p",
                                golden(name)["prompt"], "-o", file});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("vision_last_hidden_state"), HasSubstr("logits")));
  const Checkpoint ours = Checkpoint::open_file(file);
  const Checkpoint reference = Checkpoint::open_file(data_path("goldens/" + name + "/trace.safetensors"));
  const auto trace_of = [](const Checkpoint& checkpoint) {
    Trace trace;
    for (const auto& [tensor, view] : checkpoint.tensors())
      trace.push_back(
          {tensor, view.dtype, view.shape, {view.data, view.data + view.count() * size_of(view.dtype)}});
    return trace;
  };
  const auto results = compare(trace_of(ours), trace_of(reference), false);
  EXPECT_EQ(results.size(), bounds().size());
  for (const StationResult& r : results) EXPECT_TRUE(r.holds) << r.station << " " << r.mismatch;

  // The trace also serves as a golden: verify accepts it.
  directory.add(
      "golden.json",
      Json{{"prompt", golden(name)["prompt"]}, {"images", {"picture.png"}}, {"max_new_tokens", 64}}.dump());
  directory.add("picture.png", read_bytes(picture("shapes_100x80.png")));
  const Finished verified = galago({"verify", "-m", tiny(), "--golden", directory.path().string()});
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;
}

TEST(Trace, FollowsThePillowThatIsAskedForAndSaysSo) {
  const TempDir directory;
  std::vector<std::vector<std::byte>> pixels;
  for (const char* pillow : {"13", "12"}) {
    const std::string file = directory.file(pillow);
    const Finished done = galago({"trace", "-m", tiny(), "--pillow", pillow, "--image",
                                  picture("shapes_37x90.png"), "-p", "x", "-n", "1", "-o", file});
    ASSERT_EQ(done.code, 0) << done.err;
    EXPECT_THAT(read_text_file(file, 1 << 30).substr(0, 4096),
                HasSubstr("\"pillow\":\"" + std::string(pillow) + "\""));
    const Checkpoint trace = Checkpoint::open_file(file);
    const TensorView& view = trace.tensors().at("pixel_values_u8");
    pixels.emplace_back(view.data, view.data + view.count());
  }
  EXPECT_EQ(pixels[0].size(), pixels[1].size());
  EXPECT_NE(pixels[0], pixels[1]);
  EXPECT_EQ(galago({"trace", "-m", tiny(), "--pillow", "11", "-p", "x", "-o", directory.file("x")}).code, 64);
}

TEST(Trace, SaysWhenItCannotWrite) {
  for (const std::string& file :
       {std::string("/no/such/folder/trace.safetensors"), std::string("/dev/full")}) {
    const Finished done = galago({"trace", "-m", tiny(), "-p", "x", "-n", "1", "-o", file});
    EXPECT_EQ(done.code, 74) << file;
    EXPECT_THAT(done.err, HasSubstr("output_io"));
  }
}

class Verify : public testing::TestWithParam<const char*> {};

TEST_P(Verify, AcceptsEveryGolden) {
  const std::string name = GetParam();
  const std::string model = golden(name)["model"];
  const Finished done = galago({"verify", "-m", tiny(model), "--golden", data_path("goldens/" + name)});
  EXPECT_EQ(done.code, 0) << done.out << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("station"), HasSubstr("generated_ids"), HasSubstr("holds")));
}

INSTANTIATE_TEST_SUITE_P(Goldens, Verify,
                         testing::Values("smolvlm_tiles", "llava_granite_tall_pillow12", "two_images",
                                         "no_split", "text_only", "tied_head", "grid25_llama3",
                                         "grid26_scale2_partial", "grid27_scale3"),
                         [](const auto& param) { return param.param; });

// A golden whose first byte of one tensor's data is another.
Finished verify_damaged(const std::string& tensor, bool json) {
  const TempDir directory;
  const std::string source = data_path("goldens/smolvlm_tiles");
  std::string text = read_bytes(source + "/golden.json");
  const Json facts = Json::parse(text);
  const std::string image = facts["images"][0];
  directory.add("golden.json", replaced(text, image, "picture.png"));
  directory.add("picture.png", read_bytes(source + "/" + image));
  const Checkpoint trace = Checkpoint::open_file(source + "/trace.safetensors");
  std::vector<std::byte> changed;
  std::vector<NamedTensor> tensors;
  for (const auto& [name, view] : trace.tensors()) {
    tensors.push_back({name, view});
    if (name != tensor) continue;
    changed.assign(view.data, view.data + view.count() * size_of(view.dtype));
    changed[view.dtype == DType::f32 ? 3 : 0] ^= std::byte{1};  // a float's exponent, an integer's last bit
    tensors.back().view.data = changed.data();
  }
  EXPECT_FALSE(changed.empty()) << tensor;
  write_safetensors(directory.path() / "trace.safetensors", tensors);
  std::vector<std::string> arguments{"verify", "-m", tiny(), "--golden", directory.path().string()};
  if (json) arguments.push_back("--json");
  return galago(arguments);
}

TEST(VerifyDamaged, NamesTheStationThatDiffersAndExitsWith1) {
  for (const Bound& bound : bounds()) {
    const Finished text = verify_damaged(bound.station, false);
    EXPECT_EQ(text.code, 1) << bound.station << text.err;
    EXPECT_THAT(text.out, HasSubstr("FAILS"));
    const Json table = verify_damaged(bound.station, true).json();
    EXPECT_EQ(table["holds"], false);
    for (const Json& row : table["stations"])
      EXPECT_EQ(row["holds"].get<bool>(), row["station"] != bound.station) << row;
  }
}

TEST(Help, EveryCommandExplainsItself) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{}, {"run"}, {"inspect"}, {"trace"}, {"verify"}}) {
    const Finished help = galago(words + std::vector<std::string>{"--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, HasSubstr("--help"));
    EXPECT_THAT(help.err, IsEmpty());
  }
  EXPECT_THAT(galago({"--help"}).out, HasSubstr("Examples:"));
  const Finished version = galago({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.out, testing::StartsWith("galago "));
}

}  // namespace
}  // namespace galago::test
