// A conversation from JSON. In: messages as transformers and the OpenAI API write them. Out: a request's
// messages, tools and arguments of the template, pictures opened.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "galago/galago.h"
#include "messages/ordered_json.h"

namespace galago {

/// Opens what the parts name.
struct PartOpeners {
  std::function<Image(const std::string& word)> image;
  std::function<Video(const std::string& word)> video;
};

/// Reads a list of messages, or an object with "messages" and perhaps "tools", "template_arguments",
/// "add_generation_prompt", "continue_final_message", into `request`. A message's "content" is a text or a
/// list of parts, and its other keys go to the template. Parts, and where they have their picture: text;
/// image, video: path, url, image or video; image_url: image_url.url. `name` stands for the text in errors.
/// Error{input_invalid} names the place of what is wrong; errors of pictures.
void read_conversation(const std::string& text, const std::string& name, const PartOpeners& open,
                       Request& request);

/// Makes a part of a message of one entry of its "content"; `where` names it in errors.
using PartReader = std::function<MessagePart(const OrderedJson& part, const std::string& where)>;
/// The messages of a list, which `where` names in errors; Error{input_invalid}, and the errors of `read`.
std::vector<Message> read_messages(const OrderedJson& list, const std::string& where, const PartReader& read);

}  // namespace galago
