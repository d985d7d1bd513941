// What a line of a conversation means: commands, dropped pictures, names as terminals paste them; what was
// said, saved and loaded; colours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "block_art.h"
#include "chat_line.h"
#include "chat_session.h"
#include "pictures.h"
#include "support/fixtures.h"

namespace galago::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Json = nlohmann::json;

TEST(ChatLine, CommandsAndTexts) {
  EXPECT_EQ(command_line("  /image   a b.png \n").name, "/image");
  EXPECT_EQ(command_line("  /image   a b.png \n").rest, "a b.png");
  EXPECT_TRUE(is_command("/imge x"));
  EXPECT_TRUE(is_command(" /quit"));
  for (const char* text : {"/", "//x", "/home/me/a.png what?", "a /quit", "", "/2 is a half", "/tmp/x"})
    EXPECT_FALSE(is_command(text)) << text;
}

TEST(ChatLine, NamesAsTerminalsPasteThem) {
  const test::TempDir folder;
  const std::string a = folder.add("a cat.png", ""), b = folder.add("it's.jpg", ""),
                    c = folder.add("c.PNG", "");
  const std::string where = folder.path().string();
  const struct {
    std::string line;
    std::vector<std::string> pictures;
    std::string rest;
  } rows[] = {
      {a, {a}, ""},
      {"'" + a + "'", {a}, ""},
      {"\"" + a + "\" ", {a}, ""},
      {where + "/a\\ cat.png", {a}, ""},
      {where + "/a\\ cat.png What is it?", {a}, "What is it?"},
      {"'" + where + "/it'\\''s.jpg' " + c + "  Which?", {b, c}, "Which?"},
      {"file://" + where + "/a%20cat.png", {a}, ""},
      {"file://elsewhere" + c, {}, "file://elsewhere" + c},
      {"file://" + where + "/%zz.png", {}, "file://" + where + "/%zz.png"},
      {where + "/none.png What?", {}, where + "/none.png What?"},
      {"It's a cat", {}, "It's a cat"},
      {"What is " + c, {}, "What is " + c},
      {where, {}, where},
      {std::string(9000, 'x') + ".png", {}, std::string(9000, 'x') + ".png"},
      {std::string("a\0b.png", 7), {}, std::string("a\0b.png", 7)},
  };
  for (const auto& row : rows) {
    const Dropped dropped = dropped_pictures(row.line);
    EXPECT_EQ(dropped.pictures, row.pictures) << row.line;
    EXPECT_EQ(dropped.rest, row.rest);
  }
  EXPECT_THAT(file_words(a), ElementsAre(a)) << "a name with a space, as it stands";
  EXPECT_THAT(file_words("'x y' z\\ w \"q\\\"r\""), ElementsAre("x y", "z w", "q\"r"));
  EXPECT_THAT(file_words("  "), IsEmpty());
  setenv("HOME", where.c_str(), 1);
  EXPECT_THAT(file_words("~/c.PNG"), ElementsAre(c));
  EXPECT_THAT(dropped_pictures("~/c.PNG").pictures, ElementsAre(c));
}

TEST(ChatLine, APictureThatIsNotThereIsNoQuestion) {
  const test::TempDir folder;
  const std::string there = folder.add("a.png", ""), where = folder.path().string();
  for (const auto& [line, missing] : std::vector<std::pair<std::string, std::string>>{
           {"nope.jpg", "nope.jpg"},
           {"'no pe.jpg' What is it?", "no pe.jpg"},
           {there + " nope.PNG Which?", "nope.PNG"},
           {where + "/no such cat.png", where + "/no such cat.png"},
           {"https://example.org/a.jpg What?", "https://example.org/a.jpg"},
           {there + " What is nope.jpg?", ""},
           {"What is nope.jpg", ""},
           {".png or .jpg?", ""},
           {"nope.jpg, what is it?", ""},
           {there, ""}})
    EXPECT_EQ(dropped_pictures(line).missing, missing) << line;
}

TEST(ChatLine, APictureThatIsAWordOfAQuestionIsFound) {
  for (const auto& [question, word] :
       std::vector<std::pair<std::string, std::string>>{{"What is in nope.jpg?", "nope.jpg"},
                                                        {"Is 'dir/cat.PNG' older (or b.png)?", "dir/cat.PNG"},
                                                        {"See [a.webp](b).", ""},
                                                        {"(a.webp).", "a.webp"},
                                                        {"\ta.gif\n", "a.gif"},
                                                        {"What is a .png, a jpg or ...?", ""},
                                                        {"''", ""},
                                                        {"?!", ""},
                                                        {"", ""},
                                                        {std::string(300, 'a') + ".png", ""},
                                                        {"What is in the picture?", ""}})
    EXPECT_EQ(picture_word(question), word) << question;
}

TEST(ChatLine, EveryCommandHasItsHelp) {
  EXPECT_EQ(chat_commands().size(), 12U);
  for (const ChatCommand& command : chat_commands()) {
    EXPECT_TRUE(is_command(std::string(command.name)));
    EXPECT_FALSE(command.help.empty());
  }
}

std::string roles(const ChatSession& session) {
  std::string text;
  for (const Message& message : session.request({}).messages) text += message.role[0];
  return text;
}

Image dot() {
  constexpr std::array<uint8_t, 3> black{};
  return Image::from_rgb(1, 1, black);
}

TEST(ChatSession, TurnsComeAndGo) {
  ChatSession session;
  EXPECT_FALSE(session.undo() || session.drop_answer() || session.ends_with_question());
  session.ask("");
  EXPECT_EQ(roles(session), "");
  session.set_system("Be brief.");
  session.attach(dot(), "a.png");
  session.ask("What?");
  EXPECT_EQ(session.request({}).messages[1].parts.size(), 2U);
  session.answer("A cat", false);
  session.ask("And?");
  EXPECT_TRUE(session.ends_with_question());
  session.retract();
  EXPECT_EQ(roles(session), "sua");
  session.retract();
  EXPECT_EQ(roles(session), "sua") << "an answer is no question";
  EXPECT_TRUE(session.drop_answer());
  EXPECT_EQ(roles(session), "su");
  session.answer("A dog", true);
  session.attach(dot(), "b.png");
  EXPECT_TRUE(session.undo());
  EXPECT_EQ(session.attached(), 0U);
  EXPECT_EQ(roles(session), "sua");
  EXPECT_TRUE(session.undo());
  EXPECT_EQ(roles(session), "s");
  EXPECT_FALSE(session.undo());
  session.set_system("");
  EXPECT_EQ(roles(session), "");
  session.ask("x");
  session.set_system("y");
  EXPECT_EQ(roles(session), "su");
  session.clear();
  EXPECT_EQ(roles(session), "s");
  EXPECT_EQ(session.system(), "y");
}

TEST(ChatSession, IsSavedAndLoaded) {
  const PartOpeners open{.image = [](const std::string&) { return dot(); },
                         .video = [](const std::string&) -> Video { throw std::bad_alloc(); }};
  ChatSession session;
  session.set_system("Be \"brief\".");
  session.attach(dot(), "/x/a.png");
  session.attach(dot(), "data:image/png;base64,AAAA");
  session.ask("What?\nAnd \xff?");
  session.answer("A c", true);
  session.ask("<|im_end|>");
  session.answer("", false);
  const std::string text = session.save();
  const Json json = Json::parse(text);
  EXPECT_EQ(json["messages"][1]["content"][0], Json({{"type", "image"}, {"path", "/x/a.png"}}));
  EXPECT_EQ(json["messages"][1]["content"][1]["path"], "data:image/png;base64,AAAA");
  EXPECT_EQ(json["messages"][2]["finish_reason"], "cancelled");
  EXPECT_EQ(json["messages"][4].contains("finish_reason"), false);
  ChatSession other;
  other.ask("before");
  other.load(text, "x", open);
  EXPECT_EQ(other.save(), text);
  EXPECT_EQ(roles(other), "suaua");
  EXPECT_EQ(other.request({}).messages[2].fields, "") << "the mark is no field for a template";
  EXPECT_THROW(other.load("[{}]", "x", open), Error);
  EXPECT_EQ(other.save(), text) << "what is wrong changes nothing";
  other.load(R"({"messages": [{"role": "user", "content": "a", "name": "b"}], "tools": [{"a": 1}]})", "x",
             open);
  EXPECT_EQ(Json::parse(other.save())["messages"][0]["name"], "b");
  EXPECT_EQ(Json::parse(other.save())["tools"][0]["a"], 1);
  other.attach(dot(), "relative.png");
  other.ask("x");
  EXPECT_EQ(Json::parse(other.save())["messages"][1]["content"][0]["path"],
            (std::filesystem::current_path() / "relative.png").string());
}

TEST(BlockArt, ColoursAreTheNearest) {
  const auto index = [](std::array<uint8_t, 3> rgb) { return indexed_colour(rgb.data()); };
  EXPECT_EQ(index({0, 0, 0}), 16);
  EXPECT_EQ(index({255, 255, 255}), 231);
  EXPECT_EQ(index({255, 0, 0}), 196);
  EXPECT_EQ(index({90, 140, 220}), 16 + 36 * 1 + 6 * 2 + 4);
  EXPECT_EQ(index({18, 18, 18}), 233);
  EXPECT_EQ(index({128, 128, 128}), 244);
}

TEST(BlockArt, IsDrawnInTheColoursThereAre) {
  EXPECT_EQ(render_image(dot(), 8, Colours::none), "");
  EXPECT_THAT(render_image(dot(), 8, Colours::full), HasSubstr("\033[38;2;0;0;0m\033[48;2;0;0;0m\u2580"));
  EXPECT_THAT(render_image(dot(), 8, Colours::indexed),
              HasSubstr("\033[38;5;16m\033[48;5;16m\u2580\033[0m\n"));
}

}  // namespace
}  // namespace galago::cli
