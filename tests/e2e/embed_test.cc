// `galago embed` and `galago classify` from the outside: the goldens' numbers, both forms of output, standard
// input, refusals, and interruption.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "program.h"

namespace galago::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::vector<float> golden_floats(const std::string& name, const std::string& tensor) {
  const Checkpoint trace = Checkpoint::open_file(data_path("goldens/" + name + "/trace.safetensors"));
  return values(to_tensor(*trace.find(tensor)));
}

std::vector<std::string> command(const std::string& verb, const std::string& model,
                                 const std::vector<std::string>& more) {
  return std::vector<std::string>{verb, "-t", "1", "-m", tiny(model)} + more;
}

// --image for every picture of a golden.
std::vector<std::string> pictures_of(const Json& facts) {
  std::vector<std::string> arguments;
  for (const Json& name : facts["images"])
    arguments = arguments + std::vector<std::string>{"--image", picture(name)};
  return arguments;
}

std::vector<float> embeddings_of(const Json& list) {
  std::vector<float> all;
  for (const Json& item : list)
    for (const Json& value : item["embedding"]) all.push_back(value.get<float>());
  return all;
}

void expect_near(const std::vector<float>& ours, const std::vector<float>& reference) {
  ASSERT_EQ(ours.size(), reference.size());
  for (size_t i = 0; i < ours.size(); ++i) ASSERT_NEAR(ours[i], reference[i], 1e-3) << i;
}

class EmbedGolden : public testing::TestWithParam<const char*> {};

TEST_P(EmbedGolden, VectorsAreThoseOfTransformers) {
  const Json facts = golden(GetParam());
  std::vector<std::string> arguments = pictures_of(facts) + std::vector<std::string>{"--json"};
  for (const Json& text : facts["texts"]) arguments = arguments + std::vector<std::string>{"--text", text};
  const Finished raw = galago(command("embed", GetParam(), arguments));
  ASSERT_EQ(raw.code, 0) << raw.err;
  const Json answer = raw.json();
  EXPECT_FALSE(answer["normalized"]);
  EXPECT_FALSE(answer["cancelled"]);
  EXPECT_EQ(answer["images"][0]["path"], picture(facts["images"][0]));
  EXPECT_EQ(answer["texts"][3]["text"], facts["texts"][3]);
  expect_near(embeddings_of(answer["images"]), golden_floats(GetParam(), "image_features"));
  expect_near(embeddings_of(answer["texts"]), golden_floats(GetParam(), "text_features"));

  const Finished unit =
      galago(command("embed", GetParam(), arguments + std::vector<std::string>{"--normalize"}));
  ASSERT_EQ(unit.code, 0) << unit.err;
  EXPECT_TRUE(unit.json()["normalized"]);
  expect_near(embeddings_of(unit.json()["images"]), golden_floats(GetParam(), "image_embeds"));
  expect_near(embeddings_of(unit.json()["texts"]), golden_floats(GetParam(), "text_embeds"));
}

TEST_P(EmbedGolden, ProbabilitiesAreThoseOfTransformers) {
  const Json facts = golden(GetParam());
  const std::vector<float> expected = golden_floats(GetParam(), "probabilities");
  const size_t texts = facts["texts"].size();
  // The first two texts are the default template with these labels in it.
  const Finished done =
      galago(command("classify", GetParam(),
                     pictures_of(facts) + std::vector<std::string>{"--labels", "a cat, 2 dogs", "--json",
                                                                   "--template", "This is a photo of {}."}));
  ASSERT_EQ(done.code, 0) << done.err;
  const Json answer = done.json();
  EXPECT_THAT(answer["labels"], ElementsAre("a cat", "2 dogs"));
  ASSERT_EQ(answer["images"].size(), facts["images"].size());
  for (size_t i = 0; i < answer["images"].size(); ++i)
    for (const Json& score : answer["images"][i]["scores"])
      EXPECT_NEAR(score["probability"].get<float>(),
                  expected[i * texts + (score["label"] == "a cat" ? 0 : 1)], 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Goldens, EmbedGolden, testing::Values("siglip", "siglip2", "naflex", "naflex_bf16"),
                         [](const auto& param) { return param.param; });

TEST(Embed, PlainLinesHoldTheSameNumbers) {
  const std::vector<std::string> both{"-i", picture("shapes_37x90.png"), "--text", "a\tcat\nand a dog"};
  const Finished json = galago(command("embed", "siglip", both + std::vector<std::string>{"--json"}));
  const Finished plain = galago(command("embed", "siglip", both));
  ASSERT_EQ(plain.code, 0) << plain.err;
  EXPECT_THAT(plain.err, IsEmpty());
  std::istringstream lines(plain.out);
  std::string image;
  std::string text;
  std::string rest;
  std::getline(lines, image);
  std::getline(lines, text);
  EXPECT_FALSE(std::getline(lines, rest));
  EXPECT_THAT(image, StartsWith("image\t" + picture("shapes_37x90.png") + "\t"));
  EXPECT_THAT(text, StartsWith("text\ta cat and a dog\t"));
  std::istringstream numbers(image.substr(image.rfind('\t')));
  std::vector<float> row;
  for (float value = 0; numbers >> value;) row.push_back(value);
  EXPECT_EQ(row, embeddings_of(json.json()["images"]));
}

TEST(Embed, LinesOfStandardInputAreTexts) {
  const Finished done = galago(command("embed", "siglip", {"--text", "first", "--text", "-", "--json"}),
                               {.input = "second\r\n\nfourth", .output = {}});
  ASSERT_EQ(done.code, 0) << done.err;
  std::vector<std::string> texts;
  const Json answer = done.json();
  for (const Json& item : answer["texts"]) texts.push_back(item["text"]);
  EXPECT_THAT(texts, ElementsAre("first", "second", "", "fourth"));
}

TEST(Embed, APictureMayComeFromStandardInput) {
  const Finished file = galago(command("embed", "siglip", {"-i", picture("shapes_37x90.png"), "--json"}));
  const Finished pipe = galago(command("embed", "siglip", {"-i", "-", "--json"}),
                               {.input = read_bytes(picture("shapes_37x90.png")), .output = {}});
  ASSERT_EQ(pipe.code, 0) << pipe.err;
  EXPECT_EQ(pipe.json()["images"][0]["embedding"], file.json()["images"][0]["embedding"]);
}

TEST(Classify, PlainOutputIsSortedAndNamesThePicturesWhereThereAreSeveral) {
  const Finished one =
      galago(command("classify", "siglip", {"-i", picture("shapes_37x90.png"), "--labels", "cat,dog"}));
  ASSERT_EQ(one.code, 0) << one.err;
  std::istringstream lines(one.out);
  double first = 0;
  double second = 0;
  std::string label;
  lines >> first >> label >> second >> label;
  EXPECT_GE(first, second);
  EXPECT_GT(second, 0);
  const Finished two = galago(command(
      "classify", "siglip",
      {"-i", picture("shapes_37x90.png"), "-i", picture("shapes_100x80.png"), "--label", "cats, dogs"}));
  EXPECT_THAT(two.out,
              AllOf(StartsWith(picture("shapes_37x90.png") + "\n  0."),
                    HasSubstr("\n" + picture("shapes_100x80.png") + "\n  0."), HasSubstr("  cats, dogs\n")));
}

struct Refused {
  const char* name;
  int code;
  const char* word;
  std::vector<std::string> arguments;
};

TEST(EmbedRefusals, HaveTheirExitCodes) {
  const std::string image = picture("shapes_37x90.png");
  const Refused cases[] = {
      {"nothing to do", 64, "neither --image nor --text", command("embed", "siglip", {})},
      {"no model", 64, "--model", {"embed", "--text", "a"}},
      {"no such model", 66, "not_found", command("embed", "no_such_model", {"--text", "a"})},
      {"two standard inputs", 64, "asked for 2 times",
       command("embed", "siglip", {"--text", "-", "-i", "-"})},
      {"no such picture", 66, "not_found", command("embed", "siglip", {"-i", "/no/such.png"})},
      {"no picture", 65, "unsupported_media",
       command("embed", "siglip", {"-i", data_path("models/siglip/config.json")})},
      {"malformed text", 65, "UTF-8", command("embed", "siglip", {"--text", "\xff"})},
      {"chat model", 78, "galago run", command("embed", "smolvlm_tiles", {"--text", "a"})},
      {"chat model", 78, "galago run", command("classify", "text_llama2", {"-i", image, "--labels", "a"})},
      {"run of an encoder",
       78,
       "galago embed and galago classify",
       {"run", "-m", tiny("siglip"), "-p", "hi"}},
      {"inspect of an encoder", 78, "galago embed and galago classify", {"inspect", "-m", tiny("siglip")}},
      {"no labels", 64, "no labels", command("classify", "siglip", {"-i", image})},
      {"no picture to classify", 64, "--image", command("classify", "siglip", {"--labels", "a"})},
      {"an empty label", 64, "a label between any two commas",
       command("classify", "siglip", {"-i", image, "--labels", "a,,b"})},
      {"a template without place", 64, "a text with {}",
       command("classify", "siglip", {"-i", image, "--labels", "a", "--template", "photo"})},
  };
  for (const Refused& test : cases) {
    const Finished done = galago(test.arguments);
    EXPECT_EQ(done.code, test.code) << test.name << ": " << done.err;
    EXPECT_THAT(done.err, HasSubstr(test.word)) << test.name;
    EXPECT_THAT(done.out, IsEmpty()) << test.name;
  }
}

TEST(Embed, ABadPictureDoesNotStopTheOthers) {
  const std::string good = picture("shapes_37x90.png");
  const Finished alone = galago(command("embed", "siglip", {"-i", good}));
  const Finished plain = galago(command("embed", "siglip", {"-i", "/no.png", good}));
  EXPECT_EQ(plain.code, 3);
  EXPECT_EQ(plain.out, alone.out);
  EXPECT_THAT(plain.err, HasSubstr("not_found: /no.png"));
  const Finished json = galago(command("embed", "siglip", {"-i", "/no.png", good, "--json"}));
  EXPECT_EQ(json.code, 3);
  EXPECT_EQ(json.json()["images"][0]["path"], "/no.png");
  EXPECT_EQ(json.json()["images"][0]["error"]["code"], "not_found");
  EXPECT_EQ(json.json()["images"][1]["path"], good);
  const std::string text = data_path("models/siglip/config.json");
  const Finished labels =
      galago(command("classify", "siglip", {"-i", good, text, "--labels", "a,b", "--json"}));
  EXPECT_EQ(labels.code, 3);
  EXPECT_EQ(labels.json()["images"][0]["scores"].size(), 2U);
  EXPECT_EQ(labels.json()["images"][1]["error"]["code"], "unsupported_media");
}

TEST(Embed, CtrlCStopsBetweenBatchesWith130) {
  std::vector<std::string> arguments = command("embed", "siglip", {"--json"});
  for (int i = 0; i < 2000; ++i)
    arguments = arguments + std::vector<std::string>{"-i", picture("shapes_640x488.jpg")};
  const TempDir streams;
  const pid_t child = start(arguments, {}, streams);
  // Loading takes some hundredths of a second of the processor's time, the pictures take many seconds.
  for (int i = 0; i < 10'000 && processor_seconds(child) < 0.5; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  kill(child, SIGINT);
  EXPECT_EQ(wait_for(child, 60), 130) << read_bytes(streams.file("err"));
  const Json answer = Json::parse(read_bytes(streams.file("out")));
  EXPECT_TRUE(answer["cancelled"]);
  EXPECT_LT(answer["images"].size(), 2000U);
}

}  // namespace
}  // namespace galago::test
