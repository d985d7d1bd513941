// What a line of a JSON Lines file, or the JSON beside a picture, says of its question. In: an object. Out: a
// request that begins as the run's. Keys that mean nothing here are passed over: data sets have columns of
// their own.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "batch/sources.h"
#include "messages/ordered_json.h"

namespace galago::batch {

/// Pictures that an item has beside what is said of it: as many, each opened when it is asked for.
struct OwnPictures {
  size_t count = 0;
  std::function<Image(size_t)> open;
};

/// The id that it gives, a text or a whole number; empty: none.
std::string id_of(const OrderedJson& line, const Columns& columns);
/// Words of the pictures that it names: one or a list of them. Error{input_invalid}, also for a line that
/// names none, but seems to have one under another key and would be answered without it.
std::vector<std::string> pictures_of(const OrderedJson& line, const Columns& columns,
                                     const std::string& where);

/// prompt (or question), system, messages with tools and template_arguments, split, and how the answer is
/// chosen: max_tokens, temperature, top_k, top_p, min_p, seed, stop, repetition_penalty, frequency_penalty,
/// presence_penalty, json_schema, regex, grammar, choices. Opens the item's own pictures, which stand in the
/// parts of messages that name none, else before the last question; and those of messages, below `root`.
/// Error{input_invalid}, which `where` begins; errors of pictures.
void read_fields(const OrderedJson& line, const Columns& columns, const std::filesystem::path& root,
                 const std::string& where, const OwnPictures& own, Request& request);

/// Whether a line has a question of its own.
bool asks_itself(const OrderedJson& line, const Columns& columns);

/// Error{usage} for a request without a question: neither a prompt nor messages.
void check_question(const Request& request, const std::string& where);

}  // namespace galago::batch
