// A chat template's source, rendered with two conversations.
#include <optional>
#include <vector>

#include "support/fuzz.h"
#include "text/prompt/chat_template.h"

using namespace galago;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using Type = ContentPart::Type;
  static const std::vector<ChatMessage> question = {
      {.role = "system", .content = {{.type = Type::text, .text = "Be brief."}}},
      {.role = "user",
       .content = {{.type = Type::image}, {.type = Type::text, .text = " What's \xc3\x9f\xc4\xb0?\n"}}},
      {.role = "assistant", .content = {{.type = Type::text, .text = "{{ 1 }} <end>"}}}};
  static const std::vector<ChatMessage> video = {
      {.role = "user", .content = {{.type = Type::video}, {.type = Type::text, .text = ""}}}};
  const TemplateContext context{.bos_token = "<s>", .eos_token = "</s>", .now = 1'700'000'000};
  for (const TemplateOwner owner : {TemplateOwner::processor, TemplateOwner::tokenizer}) {
    std::optional<ChatTemplate> parsed;
    fuzz::accept([&] { parsed = ChatTemplate::from_source(fuzz::as_text(data, size), "input", owner); });
    if (!parsed) return 0;
    fuzz::accept([&] { parsed->render(question, context); });
    fuzz::accept([&] { parsed->render(video, context); });
  }
  return 0;
}
