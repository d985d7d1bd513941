// See the header.
#include "arguments.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>

#include "core/printable.h"
#include "galago/error.h"
#include "habits.h"
#include "io/hub_cache.h"
#include "model_path.h"
#include "pictures.h"
#include "wording.h"

namespace galago::cli {
namespace {

[[noreturn]] void refuse(const std::string& where, const std::string& hint, const std::string& got = "") {
  throw Error(ErrorCode::usage, {.where = where, .got = got, .hint = hint});
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

// Every flag of a command that is a word: one letter is near any other.
std::vector<std::string> flag_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options([](const CLI::Option*) { return true; }))
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

const CLI::Option* find_option(const CLI::App& command, const std::string& name) {
  // The parser would take a positional's bare name too.
  return name.starts_with('-') && name != "-" && name != "--" ? command.get_option_no_throw(name) : nullptr;
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("+-.0123456789eE") == std::string::npos;
}

bool exists(const std::string& name) {
  std::error_code error;
  return std::filesystem::exists(name, error);
}

bool is_model_elsewhere(const std::string& word) {
  return is_hub_name(word) || word == "models/demo" || word == "models/demo-page";  // of the sources
}

/// The words of one command.
class Arranger {
 public:
  Arranger(const CLI::App& app, const CLI::App& command)
      : app_(app), command_(command), name_("galago " + command.get_name()) {}

  std::vector<std::string> arrange(const std::vector<std::string>& words) {
    for (at_ = 0, words_ = &words; at_ < words.size(); ++at_) take(words[at_]);
    sort_free_words();
    check_given_once();
    std::vector<std::string> out{command_.get_name()};
    for (const Item& item : items_) {
      if (!item.flag.empty()) out.push_back(item.flag);
      if (item.value) out.push_back(*item.value);
    }
    return out;
  }

 private:
  // A flag with its value if it takes one; a free word has no flag.
  struct Item {
    std::string flag;
    std::optional<std::string> value;
  };
  // What a word with a hyphen is: one of the command's flags, with what stands in the same word.
  struct Flag {
    const CLI::Option* option;
    std::string name;
    std::optional<std::string> value;
  };

  void take(const std::string& word) {
    if (only_words_ || word == "-" || !word.starts_with('-')) {
      items_.push_back({"", word});
    } else if (word == "--") {
      only_words_ = true;
    } else {
      Flag flag = read_flag(word);
      if (!takes_value(*flag.option)) {
        items_.push_back({flag.value ? flag.name + "=" + *flag.value : flag.name, {}});
        return;
      }
      if (!flag.value) flag.value = next_value(flag);
      add(flag.name, *flag.value);
    }
  }

  // Texts may be empty; whatever else a flag takes may not, least of all a model, of which there is a
  // default.
  static void check_not_empty(const std::string& flag, const CLI::Option& option, const std::string& value) {
    const std::string type = option.get_type_name();
    const std::string kind = type.substr(0, type.find_first_of(": ["));
    const bool number = kind == "INT" || kind == "UINT" || kind == "FLOAT" || kind == "N";
    const bool file = kind.starts_with("FILE");
    if (!value.empty() || !(number || file || kind == "MODEL" || kind == "DIR")) return;
    throw Error(ErrorCode::usage, {.where = flag,
                                   .got = "an empty text",
                                   .expected = number            ? "a number"
                                               : kind == "MODEL" ? "a model"
                                               : kind == "DIR"   ? "a folder"
                                                                 : "a file"});
  }

  void add(const std::string& flag, const std::string& value) {
    check_not_empty(flag, *command_.get_option_no_throw(flag), value);
    if (command_.get_option_no_throw("--image") == command_.get_option_no_throw(flag))
      for (const std::string& picture : listed(value)) items_.push_back({flag, picture});
    else
      items_.push_back({flag, value});
  }

  // a.jpg,b.jpg, if that is no file but one of its parts is.
  static std::vector<std::string> listed(const std::string& value) {
    if (value.find(',') == std::string::npos || exists(value)) return {value};
    std::vector<std::string> parts;
    for (size_t begin = 0; begin <= value.size();) {
      const size_t end = std::min(value.find(',', begin), value.size());
      parts.push_back(value.substr(begin, end - begin));
      begin = end + 1;
    }
    return std::any_of(parts.begin(), parts.end(), exists) ? parts : std::vector<std::string>{value};
  }

  std::string next_value(const Flag& flag) {
    const std::string kind = flag.option->get_type_name();
    if (at_ + 1 == words_->size())
      throw Error(ErrorCode::usage,
                  {.where = flag.name, .got = "no value", .expected = flag.name + " " + kind});
    const std::string& next = (*words_)[at_ + 1];
    const std::string bare = next.substr(0, next.find('='));
    if (find_option(command_, bare))
      throw Error(ErrorCode::usage, {.where = flag.name,
                                     .got = "no value: " + shortened(bare, 60) + " after it is a flag",
                                     .expected = flag.name + " " + kind,
                                     .hint = "if it is the value: " + flag.name + "=" + shortened(next, 60)});
    ++at_;
    return next;
  }

  Flag read_flag(const std::string& word) {
    const size_t equals = word.find('=');
    std::string name = word.substr(0, equals);
    std::optional<std::string> value;
    if (equals != std::string::npos) value = word.substr(equals + 1);
    if (const auto flag = known(name, value)) return *flag;
    if (!word.starts_with("--")) {
      if (const auto flag = known("-" + name, value)) return *flag;  // -prompt
      if (const auto flag = attached(word)) return *flag;
    }
    unknown(name);
  }

  // A flag of the command or a habit; a habit that has to be answered is thrown.
  std::optional<Flag> known(std::string name, const std::optional<std::string>& value) {
    if (const CLI::Option* option = find_option(command_, name)) return Flag{option, name, value};
    std::replace(name.begin() + std::min<std::ptrdiff_t>(2, std::ssize(name)), name.end(), '_', '-');
    if (const CLI::Option* option = find_option(command_, name)) return Flag{option, name, value};
    const Habit* habit = find_habit(name, command_.get_name());
    if (!habit) return {};
    const std::string flag(habit->flag);
    const CLI::Option* option = find_option(command_, flag);
    if (!flag.empty() && !option) return {};  // of another command
    if (habit->answer.empty()) return Flag{option, flag, value};
    refuse(name_ + ": no flag " + name, std::string(habit->answer));
  }

  // -n5: a value behind its letter, where that cannot be a flag with a mistake in it.
  std::optional<Flag> attached(const std::string& word) {
    if (word.size() < 3) return {};
    const std::string name = word.substr(0, 2), rest = word.substr(2);
    const CLI::Option* option = find_option(command_, name);
    if (!option || !takes_value(*option)) return {};
    const std::string kind = option->get_type_name();
    const bool text = kind == "TEXT" || kind == "FILE" || kind == "MODEL" || kind == "DIR";
    if (text ? suggestion("-" + word).has_value() : !is_number(rest)) return {};
    return Flag{option, name, rest};
  }

  // The nearest flag of the command, or habit that leads to one. A habit that is answered has to be one
  // letter away: its answer does not say which word it took.
  std::optional<std::string> suggestion(const std::string& name) const {
    std::vector<std::string> names = flag_names(command_), answered;
    for (const Habit& habit : habits())
      if ((habit.flag.empty() || find_option(command_, std::string(habit.flag))) &&
          (habit.command.empty() || habit.command == command_.get_name()))
        for_each_name(habit.names, [&](std::string_view one) {
          if (one.starts_with("--")) (habit.answer.empty() ? names : answered).emplace_back(one);
        });
    const auto known = nearest(name, names);
    if (known && edit_distance(name, *known) <= 1) return known;
    const auto other = nearest(name, answered);
    return other && edit_distance(name, *other) <= 1 ? other : known;
  }

  [[noreturn]] void unknown(const std::string& name) const {
    const std::string where = name_ + ": unknown flag " + shortened(name, 80);
    std::string hyphens = name;
    std::replace(hyphens.begin(), hyphens.end(), '_', '-');
    if (const auto near = suggestion(hyphens)) {
      const Habit* habit = find_option(command_, *near) ? nullptr : find_habit(*near, command_.get_name());
      if (habit && !habit->answer.empty()) refuse(where, std::string(habit->answer));
      refuse(where, "did you mean " + (habit ? std::string(habit->flag) : *near) + "?");
    }
    const Habit* habit = find_habit(hyphens);
    const std::string flag = habit && !habit->flag.empty() ? std::string(habit->flag) : hyphens;
    for (const CLI::App* other : app_.get_subcommands([](const CLI::App*) { return true; }))
      if (find_option(*other, flag))
        refuse(where,
               "galago " + other->get_name() + " has " + flag + "; " + name_ + " --help shows its own");
    refuse(where, name_ + " --help shows its flags");
  }

  bool has(const char* flag) const {
    const CLI::Option* option = command_.get_option_no_throw(flag);
    return option && std::any_of(items_.begin(), items_.end(), [&](const Item& item) {
             return !item.flag.empty() && command_.get_option_no_throw(item.flag) == option;
           });
  }

  // Of most flags the last one counts; of those that throw, the others would be lost in silence.
  void check_given_once() const {
    for (const CLI::Option* option : command_.get_options([](const CLI::Option*) { return true; })) {
      if (!takes_value(*option) || option->get_multi_option_policy() != CLI::MultiOptionPolicy::Throw)
        continue;
      const auto times = std::count_if(items_.begin(), items_.end(), [&](const Item& item) {
        return !item.flag.empty() && command_.get_option_no_throw(item.flag) == option;
      });
      if (times > 1)
        throw Error(ErrorCode::usage, {.where = name_ + ": " + option->get_name(false, true),
                                       .got = std::to_string(times) + " of them",
                                       .expected = "one"});
    }
  }

  // Free words are pictures, and the last of them the question where there is no other.
  void sort_free_words() {
    if (!find_option(command_, "--image")) return check_positionals();
    const bool asks = find_option(command_, "--prompt") != nullptr;
    bool asked = !asks || has("--prompt") || has("--file");
    bool before_pictures = false;
    for (auto item = items_.rbegin(); item != items_.rend(); ++item) {
      if (!item->flag.empty()) continue;
      const std::string& word = *item->value;
      if (names_picture(word) && !names_model(word)) {
        item->flag = "--image";
        before_pictures = true;
      } else if (names_model(word) || (is_model_elsewhere(word) && !exists(word) && !has("--model"))) {
        refuse(name_ + ": got the word " + in_quotes(word),
               "a model is named with -m: -m " + shortened(word, 100));
      } else if (asked && looks_like_path(word)) {
        item->flag = "--image";
        before_pictures = true;
      } else if (!asked) {
        check_question(word, before_pictures);
        item->flag = "--prompt";
        asked = true;
      } else {
        stray(word, asks);
      }
    }
  }

  // One word before the pictures, or where nothing is asked about, is a model by a name of its own rather.
  void check_question(const std::string& word, bool before_pictures) const {
    const bool name = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == ':' || c == '/';
    });
    const bool about_nothing = command_.get_name() != "run" && !has("--image") && !has("--model");
    if (!name || !(before_pictures || about_nothing)) return;
    throw Error(ErrorCode::usage, {.where = name_,
                                   .got = "the word " + in_quotes(word),
                                   .expected = "a question in quotes, or names of pictures that exist",
                                   .hint = "a model is named with -m; a question of one word: -p WORD"});
  }

  static bool looks_like_path(const std::string& word) {
    return exists(word) || (word.find('/') != std::string::npos && word.find(' ') == std::string::npos);
  }

  [[noreturn]] void stray(const std::string& word, bool asks) const {
    std::string hint;
    if (asks)
      hint = "put a question into quotes: -p \"What is it?\"";
    else if (find_option(command_, "--text"))
      hint = "a text is given with --text";
    else if (find_option(command_, "--labels"))
      hint = "labels are given with --labels \"A,B\"";
    throw Error(ErrorCode::usage, {.where = name_,
                                   .got = "the word " + in_quotes(word),
                                   .expected = "flags, and names of pictures that exist",
                                   .hint = hint});
  }

  void check_positionals() const {
    for (const Item& item : items_)
      if (item.flag.empty() && item.value->empty())
        throw Error(ErrorCode::usage, {.where = name_, .got = "an empty word", .expected = "a name"});
    if (command_.get_options([](const CLI::Option* o) { return o->get_positional(); }).size() > 0) return;
    for (const Item& item : items_)
      if (item.flag.empty())
        throw Error(ErrorCode::usage,
                    {.where = name_,
                     .got = "the word " + in_quotes(*item.value),
                     .expected = "flags alone",
                     .hint = names_model(*item.value) ? "a model is named with -m: -m " + *item.value
                                                      : name_ + " --help shows them"});
  }

  const CLI::App& app_;
  const CLI::App& command_;
  std::string name_;
  const std::vector<std::string>* words_ = nullptr;
  size_t at_ = 0;
  bool only_words_ = false;
  std::vector<Item> items_;
};

[[noreturn]] void unknown_command(const CLI::App& app, const std::string& word) {
  const std::vector<std::string> names = command_names(app);
  const std::string where = "unknown command " + in_quotes(word, 60);
  std::vector<std::string> known = names;
  for (const CommandHabit& habit : command_habits()) {
    bool same = false;
    for_each_name(habit.names, [&](std::string_view one) { same = same || one == word; });
    if (same) refuse(where, "did you mean galago " + std::string(habit.command) + "?");
  }
  if (const auto near = nearest(word, names)) refuse(where, "did you mean galago " + *near + "?");
  if (names_picture(word) || word.find(' ') != std::string::npos)
    refuse(where, "a question is asked with galago run: galago run photo.jpg \"What is in the picture?\"");
  refuse(where, "the commands are " + joined(names) + "; galago --help explains them");
}

// A flag where the command should be.
std::vector<std::string> before_command(const CLI::App& app, const std::vector<std::string>& words) {
  const std::string& first = words.front();
  if (first == "-h" || first == "--help") return {"--help"};
  if (first == "--version" || first == "-V" || first == "-v") return {"--version"};
  if (app.get_option_no_throw(first)) return {first};
  const Habit* habit = find_habit(first);
  if (habit && !habit->answer.empty()) refuse("no flag " + first, std::string(habit->answer));
  const std::vector<std::string> names = command_names(app);
  const auto command = std::find_if(words.begin(), words.end(), [&](const std::string& word) {
    return std::find(names.begin(), names.end(), word) != names.end();
  });
  const std::string name = command == words.end() ? "run" : *command;
  refuse("got the flag " + in_quotes(first, 60) + " where a command should be",
         "the command comes first: galago " + name + " " + shortened(first, 60) + " ...");
}

}  // namespace

std::vector<std::string> arranged(const CLI::App& app, const std::vector<std::string>& words) {
  if (words.empty())
    refuse("no command",
           "galago run photo.jpg \"What is in the picture?\" asks a question; galago --help "
           "shows all commands: " +
               joined(command_names(app)));
  const std::string& first = words.front();
  if (first.starts_with('-')) return before_command(app, words);
  if (first == "version") return {"--version"};
  if (first == "help" && words.size() == 1) return {"--help"};
  const std::vector<std::string> names = command_names(app);
  const auto find = [&](const std::string& word) {
    if (std::find(names.begin(), names.end(), word) == names.end()) unknown_command(app, word);
    return app.get_subcommand(word);
  };
  if (first == "help") return {find(words[1])->get_name(), "--help"};
  return Arranger(app, *find(first)).arrange({words.begin() + 1, words.end()});
}

}  // namespace galago::cli
