// galago::Request and its options for Python: plain fields, and conversations by the library's own reader.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bindings.h"
#include "interruptible.h"
#include "messages/conversation.h"

namespace galago::python {
namespace {

using Medium = std::variant<Image, Video>;

// The JSON of a conversation names the pictures that came as objects by their place: byte 0, which no path
// and no URI has, and a number.
std::optional<size_t> place_of(const std::string& word) {
  if (word.empty() || word[0] != '\0') return std::nullopt;
  size_t place = 0;
  for (const char c : word.substr(1)) place = place * 10 + static_cast<size_t>(c - '0');
  return place;
}

template <class Kind>
Kind medium_at(const std::vector<Medium>& media, size_t place, const char* what) {
  const auto* found = place < media.size() ? std::get_if<Kind>(&media[place]) : nullptr;
  if (!found)
    throw Error(ErrorCode::input_invalid,
                {.where = "messages", .got = "another kind of object", .expected = what});
  return *found;
}

// The request's messages, tools and arguments of the template.
void read_document(Request& request, const std::string& document, const std::vector<Medium>& media,
                   const nb::callable& open_image, const nb::callable& open_video) {
  const PartOpeners open = {
      .image =
          [&](const std::string& word) {
            const auto place = place_of(word);
            return place ? medium_at<Image>(media, *place, "a picture") : nb::cast<Image>(open_image(word));
          },
      .video =
          [&](const std::string& word) {
            const auto place = place_of(word);
            return place ? medium_at<Video>(media, *place, "a video") : nb::cast<Video>(open_video(word));
          }};
  read_conversation(document, "conversation", open, request);
}

AnswerFormat& format_of(GenerateOptions& options) { return options.format; }

void set_format(GenerateOptions& options, const std::string& kind, const std::string& definition,
                const std::vector<std::string>& choices) {
  using Kind = AnswerFormat::Kind;
  AnswerFormat& format = format_of(options);
  if (kind == "json_object")
    format.kind = Kind::json_object;
  else if (kind == "schema")
    format.kind = Kind::json_schema;
  else if (kind == "regex")
    format.kind = Kind::regex;
  else if (kind == "choices")
    format.kind = Kind::choice;
  else
    format.kind = Kind::grammar;
  format.definition = definition;
  format.choices = choices;
}

void bind_options(nb::module_& module) {
  using Options = GenerateOptions;
  nb::class_<TokenBias>(module, "TokenBias").def(nb::init<int32_t, double>(), nb::arg("id"), nb::arg("bias"));
  nb::class_<Options>(module, "GenerateOptions", "How tokens are chosen and when to stop: galago.Options.")
      .def_rw("max_tokens", &Options::max_new_tokens, nb::arg().none())
      .def_rw("temperature", &Options::temperature)
      .def_rw("top_k", &Options::top_k)
      .def_rw("top_p", &Options::top_p)
      .def_rw("min_p", &Options::min_p)
      .def_rw("typical_p", &Options::typical_p)
      .def_rw("epsilon_cutoff", &Options::epsilon_cutoff)
      .def_rw("eta_cutoff", &Options::eta_cutoff)
      .def_rw("repetition_penalty", &Options::repetition_penalty, nb::arg().none())
      .def_rw("frequency_penalty", &Options::frequency_penalty)
      .def_rw("presence_penalty", &Options::presence_penalty)
      .def_rw("no_repeat_ngram_size", &Options::no_repeat_ngram_size, nb::arg().none())
      .def_rw("min_tokens", &Options::min_new_tokens, nb::arg().none())
      .def_rw("logit_bias", &Options::logit_bias)
      .def_rw("bad_words_ids", &Options::bad_words_ids)
      .def_rw("suppress_tokens", &Options::suppress_tokens)
      .def_rw("begin_suppress_tokens", &Options::begin_suppress_tokens)
      .def_rw("seed", &Options::seed)
      .def_rw("stop", &Options::stop)
      .def_rw("stop_token_ids", &Options::stop_token_ids)
      .def_rw("ignore_eos", &Options::ignore_eos)
      .def_rw("keep_special", &Options::keep_special, nb::arg().none())
      .def_rw("legal_doctags", &Options::legal_doctags)
      .def_rw("logprobs", &Options::logprobs, nb::arg().none())
      .def_rw("prompt_logprobs", &Options::prompt_logprobs, nb::arg().none())
      .def_rw("prefill_chunk", &Options::prefill_chunk)
      .def(
          "set_draft",
          [](Options& options, std::vector<std::string> texts, bool answer) {
            options.draft = {.texts = std::move(texts), .answer = answer, .source = {}};
          },
          nb::arg("texts"), nb::arg("answer"), "What the answer is likely to say.")
      .def("set_format", &set_format, nb::arg("kind"), nb::arg("definition"), nb::arg("choices"),
           "The form that the answer has to have: json_object, schema, regex, choices or grammar.");
}

}  // namespace

void bind_requests(nb::module_& module) {
  bind_options(module);
  nb::class_<Request>(module, "Request", "One question: texts and pictures, or a conversation.")
      .def(nb::init<>())
      .def_rw("prompt", &Request::prompt)
      .def_rw("images", &Request::images)
      .def_rw("videos", &Request::videos)
      .def_rw("system", &Request::system)
      .def_rw("split_images", &Request::split_images, nb::arg().none())
      .def_rw("parse_special", &Request::parse_special)
      .def_rw("raw", &Request::raw)
      .def_rw("priority", &Request::priority)
      .def_rw("timeout_ms", &Request::timeout_ms)
      .def_ro("options", &Request::options)
      .def("read_conversation", &read_document, nb::arg("document"), nb::arg("media"), nb::arg("open_image"),
           nb::arg("open_video"),
           nb::sig("def read_conversation(self, document: str, media: list[Image | Video], open_image: "
                   "collections.abc.Callable[[str], Image], open_video: "
                   "collections.abc.Callable[[str], Video]) -> None"),
           "Takes over a conversation as JSON; a source of byte 0 and a number is one of `media`, others are "
           "opened.");
}

}  // namespace galago::python
