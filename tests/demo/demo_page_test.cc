// The demo page model's held-out pages: our tokens against transformers' (float32). Data:
// tests/data/demo_page/answers.jsonl and its pages, written by tools/demo_page_model/evaluate.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "galago/galago.h"

namespace galago {
namespace {

struct Page {
  std::string file;
  std::vector<int32_t> ids;  // transformers' answer
};

const std::string kPages = std::string(GALAGO_TEST_DATA) + "/demo_page/";

std::vector<Page> held_out() {
  std::vector<Page> all;
  std::ifstream file(kPages + "answers.jsonl");
  for (std::string line; std::getline(file, line);) {
    const auto row = nlohmann::json::parse(line);
    all.push_back({row.at("page"), row.at("ids")});
  }
  return all;
}

Model page_model() {
  return Model::load(std::string(GALAGO_SOURCE_DIR) + "/models/demo-page", {.threads = 1});
}

Answer read(const Model& model, const std::string& file, bool legal) {
  Request request{.prompt = "Convert this page to docling.", .images = {Image::open(kPages + file)}};
  request.options.max_new_tokens = 320;
  request.options.legal_doctags = legal;
  return model.ask(request);
}

TEST(DemoPageModel, ReadsTheHeldOutPagesAsTransformersDoes) {
  const Model model = page_model();
  const std::vector<Page> pages = held_out();
  ASSERT_EQ(pages.size(), 200u);
  for (const Page& page : pages) EXPECT_EQ(read(model, page.file, false).token_ids, page.ids) << page.file;
}

TEST(DemoPageModel, ClosesEveryElementItOpens) {
  const Model model = page_model();
  const std::vector<Page> pages = held_out();
  for (size_t i = 0; i < std::min<size_t>(pages.size(), 20); ++i) {
    const Answer answer = read(model, pages[i].file, true);
    EXPECT_TRUE(answer.text.starts_with("<doctag>")) << answer.text;
    EXPECT_TRUE(answer.text.ends_with("</doctag>")) << answer.text;
  }
}

}  // namespace
}  // namespace galago
