// galago serve: the HTTP server, from its flags to its last answer.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <mutex>
#include <thread>

#include "commands.h"
#include "console.h"
#include "flags.h"
#include "model_path.h"
#include "serve_flags.h"
#include "server/server.h"
#include "wording.h"

namespace galago::cli {
namespace {

constexpr auto kLook = std::chrono::milliseconds(50);

std::string one_decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

nlohmann::ordered_json log_json(const server::LogRecord& r) {
  const Timings& t = r.timings;
  return {{"id", r.id},
          {"trace", r.trace},
          {"peer", r.peer},
          {"method", r.method},
          {"path", r.path},
          {"status", r.status},
          {"ms", r.milliseconds},
          {"model", r.model},
          {"error", r.error},
          {"finish", r.finish},
          {"prompt_tokens", r.usage.prompt_tokens},
          {"image_tokens", r.usage.image_tokens},
          {"cached_tokens", r.usage.cached_tokens},
          {"completion_tokens", r.usage.completion_tokens},
          {"decode_image_ms", t.decode_image_ms},
          {"preprocess_ms", t.preprocess_ms},
          {"vision_ms", t.vision_ms},
          {"connector_ms", t.connector_ms},
          {"prefill_ms", t.prefill_ms},
          {"first_token_ms", t.first_token_ms},
          {"decode_ms", t.decode_ms}};
}

std::string log_line(const server::LogRecord& r) {
  std::string line = r.method + " " + r.path + " " + (r.status ? std::to_string(r.status) : "left") + " " +
                     one_decimal(r.milliseconds) + " ms";
  if (!r.model.empty()) line += "  " + r.model;
  if (!r.finish.empty())
    line += "  " + std::to_string(r.usage.prompt_tokens) + " + " + std::to_string(r.usage.completion_tokens) +
            " tokens, first after " + one_decimal(r.timings.first_token_ms) + " ms";
  if (!r.error.empty()) line += "  " + r.error;
  return one_line(line);
}

server::Log log_to_stderr(const ServeFlags& flags) {
  if (flags.quiet) return {};
  const auto mutex = std::make_shared<std::mutex>();
  return [mutex, json = flags.log_json](const server::LogRecord& record) {
    const std::string line =
        json ? log_json(record).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
             : log_line(record);
    const std::lock_guard lock(*mutex);
    std::cerr << line << "\n" << std::flush;
  };
}

// The name that a model goes by: ORG/NAME as it stands, the last part of a path.
std::string name_of(const std::string& given, const std::filesystem::path& path) {
  std::error_code error;
  if (const std::string name = hub_name_of_address(given); !name.empty()) return name;
  if (!given.empty() && !std::filesystem::exists(given, error)) return given;
  const std::filesystem::path absolute = std::filesystem::weakly_canonical(path, error);
  std::string name = absolute.filename().string();
  return name.ends_with(".gguf") ? name.substr(0, name.size() - 5) : name;
}

std::vector<server::ModelSource> sources_of(const ServeFlags& flags) {
  std::vector<std::string> models = flags.models;
  if (models.empty()) models.emplace_back();
  if (flags.aliases.size() > models.size())
    throw Error(ErrorCode::usage, {.where = "--alias",
                                   .got = counted(std::ssize(flags.aliases), "time"),
                                   .expected = "at most once for each -m"});
  std::vector<server::ModelSource> sources;
  for (size_t i = 0; i < models.size(); ++i) {
    const std::filesystem::path path = model_path(models[i]);
    sources.push_back({.path = path, .names = {}, .load = flags.load});
    if (i < flags.aliases.size())
      sources.back().names = split_list(flags.aliases[i], "alias");
    else
      sources.back().names = {name_of(models[i], path)};
  }
  return sources;
}

int serve(ServeFlags& flags) {
  finish_serve_flags(flags);
  std::vector<std::string> variables;
  for (char** entry = environ; *entry; ++entry) variables.emplace_back(*entry);
  warn(serve_warnings(flags, variables));
  const std::vector<server::ModelSource> sources = sources_of(flags);
  catch_interrupt();
  server::Server server(flags.http, flags.api, log_to_stderr(flags));
  notice("listening on " + server.address() + ", loading " + counted(std::ssize(sources), "model"));
  auto models = [&] {
    const EndsAtOnce loading;
    return server::load_models(sources);
  }();
  std::string names;
  for (const auto& model : models) {
    warn(model->warnings);
    for (const std::string& name : model->names) names += (names.empty() ? "" : ", ") + name;
  }
  server.ready(std::move(models));
  notice("ready: " + names + " at " + server.address() +
         (flags.api.api_keys.empty() ? "" : ", with an API key"));
  print(server.address() + "\n");
  while (!interrupted()) std::this_thread::sleep_for(kLook);
  notice("ending: answers on their way have " + one_decimal(flags.drain_seconds) +
         " s; a second signal ends at once");
  server.drain(flags.drain_seconds);
  return 0;
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App* command =
      app.add_subcommand("serve", "Answer over HTTP: OpenAI's and llama-server's API, and a page to try it");
  add_serve_flags(*command, *flags);
  command->footer(
      "Each flag has a twin in the environment: --max-body is GALAGO_MAX_BODY.\n"
      "Ctrl-C or SIGTERM lets answers that are on their way end; a second one ends at once.\n"
      "\n"
      "Examples:\n"
      "  galago serve -m HuggingFaceTB/SmolVLM-256M-Instruct\n"
      "  galago serve -m ibm-granite/granite-docling-258M -m google/siglip-base-patch16-224 --port 8000\n"
      "  galago serve --host 0.0.0.0 --api-key-file keys.txt --ssl-cert-file cert.pem --ssl-key-file "
      "key.pem\n"
      "  curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' \\\n"
      "       -d '{\"messages\": [{\"role\": \"user\", \"content\": \"What is a galago?\"}]}'\n");
  command->callback([flags, &action] { action = [flags] { return serve(*flags); }; });
}

}  // namespace galago::cli
