// Routes of models that compare pictures with texts. They compute on a thread of their own, one request after
// the other.
#include <bit>

#include "core/base64.h"
#include "server/api/json_response.h"
#include "server/api/service.h"

namespace galago::server {
namespace {

constexpr int64_t kMostEmbedding = 64;  // requests that wait for the embedding thread
constexpr size_t kMostLabels = 1000;
constexpr size_t kLongestText = 1 << 20;      // bytes; models read some dozens of tokens
constexpr size_t kLongestSentence = 4 << 10;  // bytes of a label, and of what is written around each

// One input: a text or a picture.
struct Input {
  std::string text;
  std::optional<Image> image;
};

std::optional<Image> image_of(const Fields& part, const ReadContext& context) {
  std::string key;
  const OrderedJson* source = part.find({"image_url", "image"}, &key);
  if (!source) return std::nullopt;
  if (source->is_string())
    return context.media.image(source->get<std::string>(), part.path(key), &context.use);
  const Fields object(*source, part.path(key));
  return context.media.image(object.text("url").value_or(""), object.path("url"), &context.use);
}

std::string bounded(std::string text, const std::string& where, size_t most) {
  if (text.size() > most)
    refuse_field(where, std::to_string(text.size()) + " bytes", "at most " + std::to_string(most));
  return text;
}

// A text, {"type": "image_url", ...}, or {"content": [one part]}.
Input input_of(const OrderedJson& value, const std::string& where, const ReadContext& context) {
  if (value.is_string()) return {.text = bounded(value, where, kLongestText), .image = {}};
  if (value.is_number() || value.is_array())
    refuse_field(where, shown_json(value), "a text or a picture: token ids are not taken");
  const Fields fields(value, where);
  if (const OrderedJson* content = fields.find("content")) {
    if (content->is_string())
      return {.text = bounded(*content, fields.path("content"), kLongestText), .image = {}};
    if (!content->is_array() || content->size() != 1)
      refuse_field(fields.path("content"), shown_json(*content),
                   "one part: a picture and a text have a vector each");
    return input_of((*content)[0], fields.path("content") + "[0]", context);
  }
  if (auto image = image_of(fields, context)) return {.text = {}, .image = std::move(image)};
  const auto text = fields.text("text");
  if (!text) refuse_field(where, shown_json(value), "a text, or a part with text or image_url");
  return {.text = bounded(*text, fields.path("text"), kLongestText), .image = {}};
}

std::vector<Input> inputs_of(const Fields& body, const char* key, int64_t most, const ReadContext& context) {
  const OrderedJson* value = body.find(key);
  if (!value) refuse_field(body.path(key), "nothing", "a text, a picture or a list of them");
  std::vector<Input> inputs;
  if (!value->is_array()) {
    inputs.push_back(input_of(*value, body.path(key), context));
    return inputs;
  }
  if (value->empty() || std::ssize(*value) > most)
    refuse_field(body.path(key), std::to_string(value->size()) + " entries", "1 to " + std::to_string(most));
  for (size_t i = 0; i < value->size(); ++i)
    inputs.push_back(input_of((*value)[i], body.path(key) + "[" + std::to_string(i) + "]", context));
  return inputs;
}

OrderedJson vector_json(std::span<const float> row, bool base64) {
  static_assert(std::endian::native == std::endian::little);  // as OpenAI's clients read them
  if (!base64) return std::vector<float>(row.begin(), row.end());
  return to_base64({reinterpret_cast<const char*>(row.data()), row.size_bytes()});
}

// Of all inputs in their order, and the tokens of the texts among them; null when it was cancelled.
OrderedJson embedded(const EmbeddingModel& model, const std::vector<Input>& inputs,
                     const EmbedOptions& options, bool base64, int64_t& tokens) {
  std::vector<Image> images;
  std::vector<std::string> texts;
  for (const Input& input : inputs) {
    if (input.image)
      images.push_back(*input.image);
    else
      texts.push_back(input.text);
  }
  const Embeddings of_images = images.empty() ? Embeddings() : model.embed_images(images, options);
  const Embeddings of_texts = texts.empty() ? Embeddings() : model.embed_texts(texts, options);
  if (of_images.cancelled || of_texts.cancelled) return {};
  tokens = of_texts.tokens;
  OrderedJson data = OrderedJson::array();
  int64_t image = 0, text = 0;
  for (const Input& input : inputs)
    data.push_back(
        {{"object", "embedding"},
         {"index", data.size()},
         {"embedding", vector_json(input.image ? of_images.row(image++) : of_texts.row(text++), base64)}});
  return data;
}

}  // namespace

std::function<bool(int64_t, int64_t)> Service::wanted(const SharedCall& call) const {
  return [this, call](int64_t, int64_t) { return !ending_ && !call->exchange().gone(); };
}

void Service::embed(const SharedCall& call, std::function<std::optional<http::Response>()> work) {
  if (embedding_ >= kMostEmbedding) throw overloaded();
  ++embedding_;
  const std::shared_ptr<void> counted(nullptr, [this](void*) { --embedding_; });
  embedders_.add([this, call, work = std::move(work), counted] {
    if (call->exchange().gone()) return;
    try {
      if (auto response = ending_ ? std::nullopt : work())
        call->respond(*std::move(response));
      else
        call->respond(shutting_down());  // to nobody, where it was the client that left
    } catch (...) {
      call->fail(std::current_exception());
    }
  });
}

void Service::embeddings(const SharedCall& call) {
  const OrderedJson body = body_of(*call);
  const Fields fields(body);
  std::string name;
  const ServedModel& model = choose(body, Kind::embedding, &name);
  call->note_model(model.name());
  const std::string form = fields.text("encoding_format").value_or("float");
  if (form != "float" && form != "base64")
    refuse_field("encoding_format", shown_json(form), "float or base64");
  const int64_t width = model.embedding->dimension();
  if (const auto asked = fields.integer("dimensions", 1, INT32_MAX); asked && *asked != width)
    refuse_field("dimensions", std::to_string(*asked), std::to_string(width) + ", the model's");
  EmbedOptions options{.normalize = fields.boolean("normalize").value_or(true), .on_progress = {}};
  options.on_progress = wanted(call);
  const auto inputs = std::make_shared<std::vector<Input>>(
      inputs_of(fields, "input", options_.max_embeddings, reading(call)));
  embed(call, [&model, name, form, options, inputs]() -> std::optional<http::Response> {
    int64_t tokens = 0;
    OrderedJson data = embedded(*model.embedding, *inputs, options, form == "base64", tokens);
    if (data.is_null()) return std::nullopt;
    return json_response({{"object", "list"},
                          {"data", std::move(data)},
                          {"model", name},
                          {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}});
  });
}

void Service::classify(const SharedCall& call) {
  const OrderedJson body = body_of(*call);
  const Fields fields(body);
  std::string name;
  const ServedModel& model = choose(body, Kind::embedding, &name);
  call->note_model(model.name());
  const auto labels = std::make_shared<std::vector<std::string>>(fields.texts("labels", kMostLabels));
  if (labels->empty()) refuse_field("labels", "nothing", "a list of texts");
  for (const std::string& label : *labels) bounded(label, "labels", kLongestSentence);
  ClassifyOptions options;
  options.on_progress = wanted(call);
  if (const auto sentence = fields.text("template"))
    options.template_text = bounded(*sentence, "template", kLongestSentence);
  const OrderedJson* input = fields.find("input");
  if (!input) refuse_field("input", "nothing", "a picture or a list of pictures");
  const ReadContext context = reading(call);
  const auto images = std::make_shared<std::vector<Image>>();
  const OrderedJson list = input->is_array() ? *input : OrderedJson::array({*input});
  if (list.empty() || std::ssize(list) > options_.max_images)
    refuse_field("input", std::to_string(list.size()) + " pictures",
                 "1 to " + std::to_string(options_.max_images));
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string where = "input[" + std::to_string(i) + "]";
    std::optional<Image> image = list[i].is_string()
                                     ? media_.image(list[i].get<std::string>(), where, &context.use)
                                     : image_of(Fields(list[i], where), context);
    if (!image) refuse_field(where, shown_json(list[i]), "a picture");
    images->push_back(*std::move(image));
  }
  embed(call, [&model, name, options, labels, images]() -> std::optional<http::Response> {
    const Classification result = model.embedding->classify(*images, *labels, options);
    if (result.cancelled) return std::nullopt;
    OrderedJson data = OrderedJson::array();
    for (const auto& scores : result.images) {
      OrderedJson one = OrderedJson::array();
      for (const LabelScore& s : scores)
        one.push_back(
            {{"label", s.label}, {"index", s.index}, {"probability", s.probability}, {"logit", s.logit}});
      data.push_back({{"object", "classification"},
                      {"index", data.size()},
                      {"label", scores[0].label},
                      {"scores", one}});
    }
    return json_response({{"object", "list"}, {"data", data}, {"model", name}});
  });
}

}  // namespace galago::server
