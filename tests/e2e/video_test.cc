// `galago` with videos, and with answers whose special tokens are wanted, from the outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"

namespace galago::test {
namespace {

using testing::HasSubstr;

std::string clip(const std::string& name) { return data_path("images/animations/" + name); }

/// `run` arguments that repeat a golden's question about videos.
std::vector<std::string> video_run(const std::string& name) {
  const Json facts = golden(name);
  std::vector<std::string> arguments = golden_run(name);
  for (const Json& video : facts["videos"]) {
    arguments.insert(arguments.end(),
                     {"--video", data_path("goldens/" + name + "/" + video["path"].get<std::string>())});
    if (video.contains("fps"))
      arguments.insert(arguments.end(), {"--fps", std::to_string(video["fps"].get<double>())});
  }
  return arguments;
}

TEST(VideoRun, AnswersAsTransformersDoes) {
  for (const char* name : {"video_gif", "video_webp_system", "video_folder"}) {
    SCOPED_TRACE(name);
    const Finished done = galago(video_run(name) + std::vector<std::string>{"--json"});
    ASSERT_EQ(done.code, 0) << done.err;
    const Json answer = done.json();
    EXPECT_EQ(answer["token_ids"].get<std::vector<int64_t>>(), golden_ids(name, "generated_ids"));
    EXPECT_EQ(answer["prompt_token_ids"].get<std::vector<int64_t>>(), golden_ids(name, "input_ids"));
    EXPECT_EQ(answer["text"], golden(name)["generated_text"]);
    ASSERT_EQ(answer["videos"].size(), 1U);
    const Json& video = answer["videos"][0];
    for (const char* key : {"path", "width", "height", "frames", "fps", "seconds", "sampled", "tokens"})
      EXPECT_TRUE(video.contains(key)) << key;
    EXPECT_EQ(video["tokens"], answer["usage"]["image_tokens"]);
  }
}

TEST(VideoRun, StatsTellTheFrames) {
  const Finished done = galago(video_run("video_gif") + std::vector<std::string>{"--stats"});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.out, golden("video_gif")["generated_text"].get<std::string>() + "\n");
  EXPECT_THAT(done.err, HasSubstr("video 60x44: 6 of 12 frames, 6.0 s, 24 tokens"));
}

TEST(VideoVerify, HoldsAtEveryStation) {
  for (const char* name : {"video_gif", "two_videos"}) {
    const Finished done = galago({"verify", "-m", tiny("smolvlm2_video"), "--golden",
                                  data_path(std::string("goldens/") + name), "--json"});
    EXPECT_EQ(done.code, 0) << done.err;
    EXPECT_TRUE(done.json()["holds"].get<bool>());
  }
}

TEST(VideoTrace, WritesEveryFrame) {
  const TempDir folder;
  const Finished done = galago({"trace", "-m", tiny("smolvlm2_video"), "--video", clip("frames"), "--fps",
                                "1", "-p", "Hm?", "-n", "2", "-o", folder.file("t.safetensors")});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(Checkpoint::open_file(folder.file("t.safetensors")).find("pixel_values")->shape,
            (Shape{4, 3, 64, 64}));
}

// A video file goes through the installed ffmpeg. Its frames, given one by one, get the same answer.
TEST(VideoRun, ReadsVideoFilesAsTheirFrames) {
  const std::vector<std::string> question = {"run", "-m",    tiny("smolvlm2_video"), "-p", "Hm?", "-n",
                                             "4",   "--json"};
  const Finished done = galago(question + std::vector<std::string>{"--video", data_path("video/uneven.mp4")});
  ASSERT_EQ(done.code, 0) << done.err;
  const TempDir folder;
  const std::string command = "ffmpeg -v error -i " + data_path("video/uneven.mp4") +
                              " -fps_mode passthrough " + folder.file("%03d.png");
  ASSERT_EQ(std::system(command.c_str()), 0);
  const Finished frames =
      galago(question + std::vector<std::string>{"--video", folder.file(""), "--fps", "16"});
  ASSERT_EQ(frames.code, 0) << frames.err;
  EXPECT_EQ(done.json()["prompt_token_ids"], frames.json()["prompt_token_ids"]);
  EXPECT_EQ(done.json()["token_ids"], frames.json()["token_ids"]);
}

struct BadVideo {
  const char* name;
  std::vector<std::string> arguments;
  int code;
  const char* says;
};

TEST(VideoRun, BadVideosHaveTheirExitCodes) {
  const TempDir folder;
  folder.add("clip.mp4", std::string("\0\0\0\x18"
                                     "ftypmp42\0\0\0\0",
                                     16));
  const std::string cut = read_bytes(clip("clip.gif"));
  folder.add("cut.gif", cut.substr(0, cut.size() / 2));
  const std::vector<BadVideo> rows = {
      {"missing", {"--video", folder.file("no.gif")}, 66, "no.gif"},
      {"mp4", {"--video", folder.file("clip.mp4")}, 65, "ffprobe"},
      {"cut", {"--video", folder.file("cut.gif")}, 65, "cut.gif"},
      {"still", {"--video", picture("shapes_37x90.png")}, 65, "animated GIF or WebP"},
      {"folder without rate", {"--video", clip("frames")}, 64, "fps"},
      {"rate of zero", {"--video", clip("frames"), "--fps", "0"}, 64, "fps"},
      {"rate of words", {"--video", clip("frames"), "--fps", "many"}, 64, "fps"},
      {"no value", {"--video"}, 64, "--video"},
  };
  for (const BadVideo& row : rows) {
    SCOPED_TRACE(row.name);
    const Finished done =
        galago(std::vector<std::string>{"run", "-m", tiny("smolvlm2_video"), "-p", "Hm?", "-n", "1"} +
               row.arguments);
    EXPECT_EQ(done.code, row.code) << done.err;
    EXPECT_THAT(done.err, HasSubstr(row.says));
    EXPECT_EQ(done.out, "");
  }
  const Finished blind =
      galago({"run", "-m", tiny("text_smollm2"), "-p", "Hm?", "--video", clip("clip.gif")});
  EXPECT_EQ(blind.code, 65);
  EXPECT_THAT(blind.err, HasSubstr("this model reads no videos and no pictures"));
  const Finished rate = galago({"run", "-m", tiny(), "-p", "Hm?", "--fps", "2"});
  EXPECT_EQ(rate.code, 64);
  const Finished none = galago({"run", "-m", tiny(), "-p", "Hm?", "--video", clip("clip.gif")});
  EXPECT_EQ(none.code, 78);
  EXPECT_THAT(none.err, HasSubstr("no settings for videos"));
}

TEST(KeepSpecial, ShowsDocTags) {
  std::vector<std::string> question = golden_run("docling");
  question.push_back("--no-legal-doctags");
  const Json facts = golden("docling");
  const std::string tags = facts["generated_text_with_special"];
  ASSERT_THAT(tags, HasSubstr("<nl></otsl>"));
  const Finished plain = galago(question + std::vector<std::string>{"--skip-special", "--json"});
  EXPECT_EQ(plain.json()["text"], facts["generated_text"]);
  const Finished kept = galago(question + std::vector<std::string>{"--keep-special", "--json"});
  EXPECT_EQ(kept.json()["text"], tags);
  const Finished streamed = galago(question + std::vector<std::string>{"--keep-special"});
  EXPECT_EQ(streamed.out, tags + "\n");
  const Finished help = galago({"run", "--help"});
  EXPECT_THAT(help.out, HasSubstr("--keep-special"));
  EXPECT_THAT(help.out, HasSubstr("--video"));
}

}  // namespace
}  // namespace galago::test
