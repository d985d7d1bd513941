// Bodies of the server's routes, read as requests. The first byte says which route; nothing is answered.
// Whatever the body is, its error is none that clients try again.
#include <memory>

#include "runtime/planned_request.h"
#include "server/api/answer_request.h"
#include "server/api/api_error.h"
#include "support/fuzz.h"

using namespace galago;
using namespace galago::server;

namespace {

const ServedModel& model() {
  static const auto models = load_models(
      {{.path = GALAGO_TEST_DATA "/models/smolvlm_tiles", .names = {"tiny"}, .load = {.threads = 1}}});
  return *models.front();
}

void read(int route, const OrderedJson& body, const ReadContext& context) {
  AnswerCall call;
  call.model = &model();
  if (route == 0) read_chat(body, context, call);
  if (route == 1) read_response(body, context, call);
  if (route == 2) read_completion(body, prompts_of(body).front(), context, call);
  const PlannedRequest planned(*model().chat->state(), std::move(call.request));
  fuzz::require(!planned.plan().ids.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const ApiOptions options{.media = {.max_image_pixels = 1 << 18}};
  static const MediaLoader media(options.media);
  try {
    const OrderedJson body = parse_ordered_json(fuzz::as_text(data + 1, size - 1), "body");
    if (!body.is_object()) return 0;  // which the service refuses before
    MediaUse use(1 << 22);
    read(data[0] % 3, body, {options, media, use});
  } catch (...) {
    const ApiError error = as_api_error(std::current_exception());
    fuzz::require(error.status >= 400 && error.status < 500 && error.status != 408 && error.status != 409 &&
                  error.status != 429);
    fuzz::require(!error.message.empty() && !error.code.empty());
  }
  return 0;
}
