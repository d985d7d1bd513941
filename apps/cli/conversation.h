// A conversation from a JSON file. In: messages as transformers and the OpenAI API write them. Out: a
// request's messages, tools and arguments of the template, pictures opened.
#pragma once

#include <functional>
#include <string>

#include "galago/galago.h"

namespace galago::cli {

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

}  // namespace galago::cli
