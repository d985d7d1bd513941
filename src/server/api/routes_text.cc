// Routes about texts and prompts: nothing of them is encoded or answered.
#include "runtime/planned_request.h"
#include "server/api/answer_json.h"
#include "server/api/json_response.h"
#include "server/api/service.h"

namespace galago::server {
namespace {

constexpr size_t kMostIds = 1'000'000;

OrderedJson piece_of(const Tokenizer& tokenizer, int32_t id) {
  const std::string bytes = id < tokenizer.vocab_size() ? tokenizer.token_bytes(id) : std::string();
  const OrderedJson text(bytes);
  try {
    (void)text.dump();  // strict: malformed UTF-8 is told byte by byte
    return text;
  } catch (const OrderedJson::exception&) {
    OrderedJson list = OrderedJson::array();
    for (const char byte : bytes) list.push_back(static_cast<unsigned char>(byte));
    return list;
  }
}

}  // namespace

void Service::tokenize(const SharedCall& call) {
  const OrderedJson body = body_of(*call);
  const Fields fields(body);
  const ServedModel& model = choose(body, Kind::chat);
  const auto content = fields.text("content");
  if (!content) refuse_field("content", "nothing", "a text");
  const std::vector<int32_t> ids =
      model.chat->tokenize(*content, fields.boolean("parse_special").value_or(true),
                           fields.boolean("add_special").value_or(false));
  if (ids.size() > kMostIds)
    refuse_field("content", std::to_string(ids.size()) + " tokens", "at most " + std::to_string(kMostIds));
  if (!fields.boolean("with_pieces").value_or(false)) return call->respond(json_response({{"tokens", ids}}));
  // Not as one document, which would take twenty times its text.
  std::string pieces;
  for (const int32_t id : ids) {
    const OrderedJson piece = piece_of(model.chat->state()->frontend->tokenizer(), id);
    pieces += (pieces.empty() ? "" : ",") + written({{"id", id}, {"piece", piece}});
  }
  http::Response response = json_response({});
  response.body = "{\"tokens\":[" + pieces + "]}";
  call->respond(std::move(response));
}

void Service::detokenize(const SharedCall& call) {
  const OrderedJson body = body_of(*call);
  const Fields fields(body);
  const ServedModel& model = choose(body, Kind::chat);
  const OrderedJson* tokens = fields.find("tokens");
  if (!tokens || !tokens->is_array() || tokens->size() > kMostIds)
    refuse_field("tokens", tokens ? shown_json(*tokens) : "nothing", "a list of token ids");
  std::vector<int32_t> ids;
  for (const OrderedJson& id : *tokens)
    ids.push_back(static_cast<int32_t>(integer_of(id, "tokens", 0, INT32_MAX)));
  call->respond(json_response({{"content", model.chat->detokenize(ids, true)}}));
}

void Service::apply_template(const SharedCall& call) {
  const OrderedJson body = body_of(*call);
  AnswerCall asked = answer_call(call, body);
  read_chat(body, reading(call), asked);
  const Model& model = *asked.model->chat;
  const PlannedRequest planned(*model.state(), std::move(asked.request));
  call->respond(json_response({{"prompt", model.detokenize(planned.plan().ids, true)}}));
}

void Service::input_tokens(const SharedCall& call) {
  const OrderedJson body = body_of(*call);
  AnswerCall asked = answer_call(call, body);
  read_chat(body, reading(call), asked);
  const PlannedRequest planned(*asked.model->chat->state(), std::move(asked.request));
  std::vector<ImageInfo> images;
  for (const ImagePlan& image : planned.plan().images) images.push_back(image_info(image));
  const auto count = std::ssize(planned.plan().ids);
  const Metrics::Rates rates = metrics_.rates(asked.model->name());
  const bool known = rates.prompt_ms > 0 && (planned.plan().tiles == 0 || rates.tile_ms > 0);
  const double ms = rates.tile_ms * static_cast<double>(planned.plan().tiles) +
                    rates.prompt_ms * static_cast<double>(count);
  call->respond(json_response({{"object", "response.input_tokens"},
                               {"input_tokens", count},
                               {"image_tokens", planned.plan().image_tokens},
                               {"tiles", planned.plan().tiles},
                               {"images", images_json(images)},
                               {"predicted_ms", known ? OrderedJson(ms) : OrderedJson()}}));
}

}  // namespace galago::server
