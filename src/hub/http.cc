// See the header. The order of an attempt: request() goes from address to address, perform() asks one of
// them.
#include "hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <exception>
#include <thread>
#include <utility>

#include "core/cancelled.h"
#include "core/printable.h"
#include "core/words.h"
#include "hub/refusal.h"

namespace galago::hub {
namespace {

constexpr size_t kHeaderBytes = 64 << 10;
constexpr int kRedirects = 5;
constexpr int kAttempts = 5;
constexpr double kFirstWait = 0.25, kLongestWait = 60, kTextSeconds = 60;
constexpr int kOk = 200, kPartial = 206, kBadRange = 416;

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlDeleter>;

Url parsed(const std::string& text) {
  Url url(curl_url());
  if (url && curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) url.reset();
  return url;
}

std::string part_of(const Url& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (!url || curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return "";
  const std::unique_ptr<char, decltype(&curl_free)> owner(text, curl_free);
  return text;
}

std::string origin_of(const Url& url) {
  return lower_ascii(part_of(url, CURLUPART_SCHEME) + "://" + part_of(url, CURLUPART_HOST) + ":" +
                     part_of(url, CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool may_pass(int status) { return status == 408 || status == 429 || status >= 500; }

/// An address without what signs it.
std::string shown(const std::string& url) { return printable(url.substr(0, url.find('?')), 200); }

}  // namespace

bool same_origin(const std::string& a, const std::string& b) {
  const Url left = parsed(a), right = parsed(b);
  return left && right && origin_of(left) == origin_of(right);
}

std::string redirect_target(const std::string& from, const std::string& location) {
  const Url url = parsed(from);
  if (!url || location.empty()) return "";
  const std::string before = part_of(url, CURLUPART_SCHEME);
  if (curl_url_set(url.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK) return "";
  const std::string scheme = part_of(url, CURLUPART_SCHEME);
  const bool web = scheme == "https" || (scheme == "http" && before == "http");
  if (!web || !part_of(url, CURLUPART_USER).empty()) return "";
  return part_of(url, CURLUPART_URL);
}

std::string escaped_part(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain)
      out += c;
    else
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

double retry_after(std::string_view text) {
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  return error == std::errc() && end == text.data() + text.size() ? seconds : 0;
}

std::string Answer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

struct Client::Curl {
  CURL* handle;
  Curl() {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    handle = ready == CURLE_OK ? curl_easy_init() : nullptr;
    if (!handle) throw Error(ErrorCode::resource, {.where = "the hub", .got = "no memory to ask it"});
  }
  ~Curl() { curl_easy_cleanup(handle); }
  Curl(const Curl&) = delete;
  Curl& operator=(const Curl&) = delete;
};

/// One request and what its callbacks share. What they throw waits for perform().
struct Client::Transfer {
  const Client& client;
  std::string url;
  bool head = false;
  bool leaves = false;  ///< redirects to other origins are followed
  Part part{};
  int64_t limit = 0;         ///< bytes of a text
  double seconds = 0;        ///< for all of it; 0: as long as bytes come
  BodySink* sink = nullptr;  ///< takes the body of 200 and 206

  Answer answer{};
  size_t header_bytes = 0;
  bool begun = false;
  std::exception_ptr thrown{};

  bool to_sink() const { return sink && (answer.status == kOk || answer.status == kPartial); }

  void add_header(std::string_view line) {
    header_bytes += line.size();
    if (header_bytes > kHeaderBytes) refuse_answer(shown(url), "headers without end", "a hub's answer");
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("HTTP/")) {
      answer.headers.clear();
      const size_t space = line.find(' ');
      answer.status = 0;
      if (space != std::string_view::npos)
        std::from_chars(line.data() + space + 1, line.data() + line.size(), answer.status);
      return;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    answer.headers[lower_ascii(line.substr(0, colon))] = value;
  }

  void add_body(std::span<const std::byte> bytes) {
    if (to_sink()) {
      if (!begun) sink->begin(answer);
      begun = true;
      sink->take(bytes);
      return;
    }
    const bool wanted = answer.status == kOk && !sink;
    const int64_t most = wanted ? limit : static_cast<int64_t>(kHeaderBytes);  // a refusal's page
    if (std::ssize(answer.body) + std::ssize(bytes) <= most)
      answer.body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    else if (wanted)
      throw Error(ErrorCode::input_too_large,
                  {.where = shown(url), .got = "more bytes", .expected = "at most " + std::to_string(limit)});
  }

  template <class Body>
  size_t guarded(size_t count, Body body) {
    try {
      body();
      return count;
    } catch (...) {
      thrown = std::current_exception();
      return 0;
    }
  }

  static size_t on_header(const char* data, size_t, size_t count, void* context) {
    auto& self = *static_cast<Transfer*>(context);
    return self.guarded(count, [&] { self.add_header({data, count}); });
  }
  static size_t on_body(const char* data, size_t, size_t count, void* context) {
    auto& self = *static_cast<Transfer*>(context);
    return self.guarded(count, [&] { self.add_body(std::as_bytes(std::span(data, count))); });
  }
  static int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& self = *static_cast<Transfer*>(context);
    return self.guarded(1,
                        [&] {
                          if (self.client.stopped_()) throw Cancelled{};
                        }) == 1
               ? 0
               : 1;
  }
};

Client::Client(const Settings& settings, std::function<bool()> stopped)
    : settings_(settings), stopped_(std::move(stopped)), curl_(std::make_unique<Curl>()) {}
Client::~Client() = default;

namespace {

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

void add_to(HeaderList& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (!longer) throw Error(ErrorCode::resource, {.where = "the hub", .got = "no memory to ask it"});
  list.release();
  list.reset(longer);
}

[[noreturn]] void fail(CURLcode result, const std::string& url, double idle_seconds) {
  const std::string where = shown(url);
  const std::string hint = "check the network and HF_ENDPOINT; HF_HUB_OFFLINE=1 uses what the cache has";
  if (result == CURLE_OPERATION_TIMEDOUT)
    throw Transient{Error(ErrorCode::timeout,
                          {.where = where,
                           .got = "nothing for " + std::to_string(std::lround(idle_seconds)) + " s",
                           .expected = "an answer",
                           .hint = "HF_HUB_DOWNLOAD_TIMEOUT and HF_HUB_ETAG_TIMEOUT are seconds to wait"})};
  if (result == CURLE_OUT_OF_MEMORY)
    throw Error(ErrorCode::resource, {.where = where, .got = "no memory to ask it"});
  const Error error(
      ErrorCode::unavailable,
      {.where = where, .got = curl_easy_strerror(result), .expected = "an answer", .hint = hint});
  if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE ||
      result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_URL_MALFORMAT)
    throw error;
  throw Transient{error};
}

}  // namespace

Answer Client::perform(Transfer& transfer) {
  HeaderList headers;
  add_to(headers, "Accept-Encoding: identity");
  if (!settings_.token.empty() && same_origin(transfer.url, settings_.endpoint))
    add_to(headers, "Authorization: Bearer " + settings_.token);
  if (transfer.part.from > 0) {
    add_to(headers, "Range: bytes=" + std::to_string(transfer.part.from) + "-");
    if (!transfer.part.if_range.empty()) add_to(headers, "If-Range: " + transfer.part.if_range);
  }
  CURL* const handle = curl_->handle;
  curl_easy_reset(handle);  // connections stay
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = curl_easy_setopt(handle, option, value) == CURLE_OK && good;
  };
  set(CURLOPT_URL, transfer.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_USERAGENT, "galago");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_NOBODY, transfer.head ? 1L : 0L);
  set(CURLOPT_HTTPHEADER, headers.get());
  if (!settings_.certificates.empty()) set(CURLOPT_CAINFO, settings_.certificates.c_str());
  const double idle = transfer.sink ? settings_.idle_seconds : settings_.answer_seconds;
  set(CURLOPT_CONNECTTIMEOUT_MS, std::max(1L, std::lround(settings_.answer_seconds * 1000)));
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, std::max(1L, std::lround(std::ceil(idle))));
  if (transfer.seconds > 0) set(CURLOPT_TIMEOUT_MS, std::lround(transfer.seconds * 1000));
  set(CURLOPT_HEADERFUNCTION, Transfer::on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
  set(CURLOPT_WRITEFUNCTION, Transfer::on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, Transfer::on_progress);
  set(CURLOPT_XFERINFODATA, static_cast<void*>(&transfer));
  if (!good) throw Error(ErrorCode::resource, {.where = shown(transfer.url), .got = "no memory to ask it"});
  transfer.answer = Answer{.url = transfer.url};
  transfer.header_bytes = 0;
  transfer.begun = false;
  const CURLcode result = curl_easy_perform(handle);
  if (transfer.thrown) std::rethrow_exception(std::exchange(transfer.thrown, nullptr));
  if (result != CURLE_OK) fail(result, transfer.url, idle);
  if (transfer.to_sink() && !transfer.begun) transfer.sink->begin(transfer.answer);  // an empty file
  return std::move(transfer.answer);
}

Answer Client::request(Transfer& transfer) {
  const bool at_home = same_origin(transfer.url, settings_.endpoint);
  for (int i = 0; i <= kRedirects; ++i) {
    Answer answer = perform(transfer);
    const bool home = at_home && same_origin(transfer.url, settings_.endpoint);
    if (is_redirect(answer.status)) {
      const std::string target = redirect_target(transfer.url, answer.header("location"));
      if (target.empty())
        refuse_answer(shown(transfer.url), "a redirect to " + in_quotes(answer.header("location")),
                      "an address as safe as before");
      if (!transfer.leaves && !same_origin(target, settings_.endpoint)) {
        if (transfer.head) return answer;
        refuse_answer(shown(transfer.url), "a redirect to " + shown(target), "an answer of the hub itself");
      }
      transfer.url = target;
      continue;
    }
    if (answer.status == kOk || answer.status == kPartial || (transfer.sink && answer.status == kBadRange))
      return answer;
    const Error error = refusal_of(answer, home, settings_);
    // Addresses elsewhere are signed for a while: another attempt gets a new one.
    if (may_pass(answer.status) || !home) throw Transient{error, retry_after(answer.header("retry-after"))};
    throw error;
  }
  refuse_answer(shown(transfer.url), "redirects without end", "at most " + std::to_string(kRedirects));
}

Answer Client::get_text(const std::string& url, int64_t limit) {
  Transfer transfer{.client = *this,
                    .url = url,
                    .limit = limit,
                    .seconds = std::max(kTextSeconds, settings_.answer_seconds)};
  return request(transfer);
}

Answer Client::head(const std::string& url) {
  Transfer transfer{.client = *this, .url = url, .head = true, .seconds = settings_.answer_seconds};
  return request(transfer);
}

Answer Client::get_file(const std::string& url, const Part& part, BodySink& sink) {
  Transfer transfer{.client = *this, .url = url, .leaves = true, .part = part, .sink = &sink};
  return request(transfer);
}

void Client::wait(double seconds) const {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) {
    if (stopped_()) throw Cancelled{};
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void Client::persist(const std::function<void()>& attempt, const std::function<bool()>& progressed) {
  for (int failures = 0;;) {
    if (stopped_()) throw Cancelled{};
    try {
      return attempt();
    } catch (const Transient& failure) {
      failures = progressed && progressed() ? 1 : failures + 1;
      if (failures == kAttempts || failure.wait_seconds > kLongestWait) throw failure.error;
      const double growing = kFirstWait * std::pow(2, failures - 1);
      wait(std::max(growing, failure.wait_seconds));
    }
  }
}

}  // namespace galago::hub
