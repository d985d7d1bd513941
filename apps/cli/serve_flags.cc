// See the header.
#include "serve_flags.h"

#include <algorithm>

#include "core/words.h"
#include "flags.h"
#include "io/files.h"
#include "run_flags.h"
#include "wording.h"

namespace galago::cli {
namespace {

constexpr int64_t kPrefixCacheBytes = int64_t{512} << 20;
constexpr int64_t kKeyFileBytes = 1 << 20;

void add_address(CLI::App& command, ServeFlags& flags) {
  const char* group = "Address";
  command.add_option("--host", flags.http.host, "Listen on this address; 0.0.0.0: on all, with --api-key")
      ->group(group)
      ->capture_default_str()
      ->type_name("ADDRESS");
  command.add_option("--port", flags.http.port, "Port; 0: any free one")
      ->group(group)
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command.add_option("--unix-socket", flags.http.unix_socket, "Listen on this socket instead of an address")
      ->group(group)
      ->type_name("FILE");
  auto* certificate =
      command.add_option("--ssl-cert-file", flags.http.certificate, "TLS: certificate chain, PEM")
          ->group(group)
          ->type_name("FILE");
  auto* key = command.add_option("--ssl-key-file", flags.http.private_key, "TLS: private key, PEM")
                  ->group(group)
                  ->type_name("FILE");
  certificate->needs(key);
  key->needs(certificate);
}

void add_access(CLI::App& command, ServeFlags& flags) {
  const char* group = "Access";
  command
      .add_option("--api-key", flags.api_key,
                  "Answer only who sends this key; several with commas between them")
      ->group(group)
      ->type_name("KEY");
  command.add_option("--api-key-file", flags.key_file, "The same from a file, a key on each line")
      ->group(group)
      ->type_name("FILE");
  add_texts(command, "--allowed-host", flags.hosts,
            "A name that the Host header may have beside the address's own; * allows any (default: "
            "localhost's names "
            "when listening on it, else any)")
      ->group(group)
      ->type_name("NAME");
  add_texts(command, "--cors-origin", flags.api.cors_origins,
            "An origin whose pages may use the API, https://example.org; *: any (default: none)")
      ->group(group)
      ->type_name("ORIGIN");
  command
      .add_option("--media-path", flags.api.media.media_path,
                  "Folder whose files file:// addresses may name (default: none)")
      ->group(group)
      ->type_name("DIR");
  command
      .add_flag("--remote-media", flags.api.media.remote,
                "Fetch pictures from http(s) addresses of the public internet (default: off)")
      ->group(group);
  add_texts(
      command, "--allowed-media-domain", flags.api.media.allowed_domains,
      "Fetch pictures from this domain alone, *.example.org for all below it; may be given several times")
      ->group(group)
      ->type_name("DOMAIN");
  command.add_flag("!--no-page", flags.api.page, "Do not serve the page at /")->group(group);
}

void add_models(CLI::App& command, ServeFlags& flags) {
  add_texts(command, "-m,--model", flags.models,
            "Model directory, GGUF file, or ORG/NAME of the Hugging Face hub; several models may be "
            "served, SigLIP "
            "beside those that answer (default: the demo model)")
      ->group("Model")
      ->type_name("MODEL");
  add_texts(command, "--alias", flags.aliases,
            "Names that requests call the model by, with commas between them; once for each -m, in their "
            "order (default: "
            "the directory's name)")
      ->group("Model")
      ->type_name("NAMES");
  command
      .add_flag("--strict-model", flags.api.strict_model,
                "Refuse a request that names another model than the one that is served")
      ->group("Model");
  add_chat_template(command, flags.load.chat_template, kChatTemplateHelp)->group("Model");
}

void add_answers(CLI::App& command, ServeFlags& flags) {
  const char* group = "Answers";
  command
      .add_option("--temp,--temperature", flags.api.temperature,
                  "Temperature where a request names none; 0: greedy")
      ->group(group)
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command
      .add_option(
          "--max-tokens", flags.api.max_tokens,
          "Most tokens of an answer, and how many where a request names none; 0: up to the context's end")
      ->group(group)
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->capture_default_str();
  command.add_option("--max-n", flags.api.max_n, "Most answers to one request (n)")
      ->group(group)
      ->check(CLI::Range(int64_t{1}, int64_t{128}))
      ->capture_default_str();
  command
      .add_option("--max-images", flags.api.max_images, "Most pictures of one request, frames of videos too")
      ->group(group)
      ->check(CLI::Range(int64_t{0}, int64_t{4096}))
      ->capture_default_str();
  command
      .add_option("--request-timeout", flags.api.request_seconds,
                  "Seconds until an answer is given up; 0: no limit")
      ->group(group)
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
}

void add_load(CLI::App& command, ServeFlags& flags) {
  SchedulerOptions& scheduler = flags.load.scheduler;
  const char* group = "Load";
  command
      .add_option("--parallel", scheduler.max_sequences,
                  "Requests of one model that are answered side by side")
      ->group(group)
      ->check(CLI::Range(int64_t{1}, int64_t{1024}))
      ->capture_default_str();
  command
      .add_option("--queue", flags.api.max_queue,
                  "Requests that may wait; more are told 429 and when to come again")
      ->group(group)
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  command
      .add_option("--max-gap", scheduler.max_gap_ms,
                  "Milliseconds that others' pictures may put between two tokens")
      ->group(group)
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  command
      .add_option("--max-memory", scheduler.max_memory,
                  "Bytes that requests in work may hold, e.g. 4GB; 0: no limit")
      ->group(group)
      ->transform(CLI::AsSizeValue(false));
  command
      .add_option("--prefix-cache-size", flags.load.prefix_cache_bytes,
                  "Memory of each model for beginnings of prompts, so that a conversation reads only what is "
                  "new; 0: none "
                  "(default: 512MB)")
      ->group(group)
      ->transform(CLI::AsSizeValue(false));
  command
      .add_option("--image-cache-size", flags.load.image_cache.memory_bytes,
                  "Memory of each model for pictures that were encoded; 0: none (default: 256MB)")
      ->group(group)
      ->transform(CLI::AsSizeValue(false));
  command
      .add_option("--image-cache-dir", flags.load.image_cache.directory,
                  "Keep encoded pictures in this folder too")
      ->group(group)
      ->type_name("DIR");
  command
      .add_option("--intake-threads", flags.api.intake_threads,
                  "Threads that read bodies and decode pictures")
      ->group(group)
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command
      .add_option("--drain-timeout", flags.drain_seconds,
                  "Seconds that answers may take to end after SIGTERM")
      ->group(group)
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
}

void add_limits(CLI::App& command, ServeFlags& flags) {
  const char* group = "Limits";
  const auto bytes = [&](const char* name, int64_t& value, const char* help) {
    command.add_option(name, value, help)->group(group)->transform(CLI::AsSizeValue(false));
  };
  const auto seconds = [&](const char* name, double& value, const char* help) {
    command.add_option(name, value, help)->group(group)->check(CLI::Range(0.001, 1e6))->capture_default_str();
  };
  bytes("--max-body", flags.api.max_body, "Bytes of a request's body (default: 32MB)");
  bytes("--max-image-bytes", flags.api.media.max_image_bytes, "Bytes of a picture's file (default: 20MB)");
  command.add_option("--max-image-pixels", flags.api.media.max_image_pixels, "Pixels of a picture")
      ->group(group)
      ->capture_default_str();
  command.add_option("--max-image-side", flags.api.media.max_image_side, "Pixels of a picture's side")
      ->group(group)
      ->capture_default_str();
  command
      .add_option("--max-request-pixels", flags.api.media.max_request_pixels,
                  "Pixels of all pictures of a request")
      ->group(group)
      ->capture_default_str();
  command
      .add_option("--max-video-pixels", flags.api.media.max_video_pixels,
                  "Pixels of all frames of an animation")
      ->group(group)
      ->capture_default_str();
  command
      .add_option("--max-held-pixels", flags.api.media.max_held_pixels,
                  "Pixels of all requests in work, three bytes each; more are told 429")
      ->group(group)
      ->capture_default_str();
  seconds("--fetch-timeout", flags.api.media.fetch_seconds, "Seconds for a picture from the web");
  bytes("--max-held-bodies", flags.http.max_held_bodies,
        "Bytes of the bodies of all requests; more are told 503 (default: 1GB)");
  command
      .add_option("--max-connections", flags.http.max_connections,
                  "Open connections; the one that waits longest for a request leaves for a new one")
      ->group(group)
      ->capture_default_str();
  bytes("--max-header-bytes", flags.http.max_header_bytes, "Bytes of a request's head (default: 16KB)");
  command.add_option("--max-headers", flags.http.max_headers, "Header fields of a request")
      ->group(group)
      ->capture_default_str();
  seconds("--header-timeout", flags.http.header_seconds, "Seconds for a request's head");
  seconds("--body-timeout", flags.http.body_seconds, "Seconds for a request's body");
  bytes("--min-body-rate", flags.http.min_body_rate,
        "Bytes a second that a body has to bring (default: 1KB)");
  seconds("--idle-timeout", flags.http.idle_seconds, "Seconds between two requests of a connection");
  seconds("--write-timeout", flags.http.write_seconds, "Seconds without the client taking anything");
  command.add_option("--max-embeddings", flags.api.max_embeddings, "Inputs of one request for embeddings")
      ->group(group)
      ->capture_default_str();
}

// --max-body is GALAGO_MAX_BODY.
void add_environment(CLI::App& command, std::vector<std::string>& variables) {
  for (CLI::Option* option : command.get_options()) {
    if (option->get_lnames().empty() || option->get_lnames()[0] == "help") continue;
    std::string name = "GALAGO_";
    for (const char c : option->get_lnames()[0])
      name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    option->envname(name);
    variables.push_back(name);
  }
}

void take_keys(std::string_view text, char between, std::vector<std::string>& keys) {
  while (!text.empty()) {
    const size_t end = std::min(text.find(between), text.size());
    std::string key(text.substr(0, end));
    if (key.ends_with('\r')) key.pop_back();
    if (!key.empty()) keys.push_back(std::move(key));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// Of all commands (docs/cli.md).
bool is_library_variable(std::string_view name) { return name == "GALAGO_CPU" || name == "GALAGO_TUNE"; }

bool loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

}  // namespace

void add_serve_flags(CLI::App& command, ServeFlags& flags) {
  flags.load.prefix_cache_bytes = kPrefixCacheBytes;
  add_models(command, flags);
  add_address(command, flags);
  add_access(command, flags);
  add_answers(command, flags);
  add_load(command, flags);
  add_limits(command, flags);
  command.add_flag("--log-json", flags.log_json, "Log a JSON object for each request, on standard error")
      ->group("Log");
  command.add_flag("--no-log", flags.quiet, "Log no requests")->group("Log");
  add_weights(command, flags.load);
  command
      .add_flag("--mmap", flags.mmap,
                "Map the weights' files instead of copying them: less memory, slower tokens")
      ->group(kSpeedGroup);
  add_strict(command, flags.load);
  add_model_files(command, flags.load);
  add_kv_cache_dtype(command, flags.load.kv_cache_dtype,
                     "What is kept of each position: f32, or f16 in half the memory")
      ->group(kSpeedGroup);
  add_environment(command, flags.variables);
}

void finish_serve_flags(ServeFlags& flags) {
  flags.load.mmap = flags.mmap;
  flags.load.scheduler.max_waiting = flags.api.max_queue;
  take_keys(flags.api_key, ',', flags.api.api_keys);
  if (!flags.key_file.empty())
    take_keys(read_text_file(flags.key_file, kKeyFileBytes), '\n', flags.api.api_keys);
  if ((!flags.api_key.empty() || !flags.key_file.empty()) && flags.api.api_keys.empty())
    throw Error(ErrorCode::usage, {.where = "--api-key", .got = "no key", .expected = "at least one"});
  const bool any = std::find(flags.hosts.begin(), flags.hosts.end(), "*") != flags.hosts.end();
  const bool local = flags.http.unix_socket.empty() && loopback(flags.http.host);
  if (any || (flags.hosts.empty() && !local)) return;
  std::vector<std::string>& allowed = flags.api.allowed_hosts;
  for (const std::string& host : flags.hosts) allowed.push_back(lower_ascii(host));
  for (const char* own : {"localhost", "127.0.0.1", "[::1]"}) allowed.emplace_back(own);
  allowed.push_back(lower_ascii(flags.http.host));
}

std::vector<std::string> serve_warnings(const ServeFlags& flags,
                                        const std::vector<std::string>& environment) {
  std::vector<std::string> warnings;
  if (flags.http.unix_socket.empty() && !loopback(flags.http.host) && flags.api.api_keys.empty())
    warnings.push_back("whoever reaches " + flags.http.host +
                       " may ask: --api-key or --api-key-file lets in only who has a key");
  for (const std::string& entry : environment) {
    const std::string name = entry.substr(0, entry.find('='));
    const auto known = std::find(flags.variables.begin(), flags.variables.end(), name);
    if (!name.starts_with("GALAGO_") || known != flags.variables.end() || is_library_variable(name)) continue;
    const auto near = nearest(name, flags.variables);
    warnings.push_back(shortened(name, 80) + " in the environment is no flag of galago serve" +
                       (near ? ": did you mean " + *near + "?" : ""));
  }
  return warnings;
}

}  // namespace galago::cli
