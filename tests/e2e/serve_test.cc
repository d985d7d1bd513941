// galago serve as a process: that it says where it listens, answers, ends as signals and files say, and takes
// its flags from the environment too.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "e2e/program.h"

namespace galago {
namespace {

using test::Finished;
using test::TempDir;
using testing::HasSubstr;
using testing::Not;

constexpr int kSeconds = 60;

// A connection that sends one request and reads up to its end.
class Connection {
 public:
  explicit Connection(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(address);
  }
  explicit Connection(const std::string& file) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    file.copy(address.sun_path, sizeof address.sun_path - 1);
    connect(address);
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;

  void send(const std::string& method, const std::string& path, const std::string& body = {},
            const std::string& headers = {}, const std::string& host = "localhost") {
    const std::string text =
        method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" + headers +
        (body.empty()
             ? ""
             : "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n") +
        "\r\n" + body;
    EXPECT_EQ(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // What came so far, once there is something.
  std::string some() {
    char bytes[65536];
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
    return count > 0 ? std::string(bytes, static_cast<size_t>(count)) : std::string();
  }
  std::string all() {
    std::string text;
    for (std::string more = some(); !more.empty(); more = some()) text += more;
    return text;
  }

 private:
  template <class Address>
  void connect(const Address& address) {
    const timeval patience{.tv_sec = kSeconds, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  int socket_;
};

// A server on a free port, ended at the latest when it goes away.
class Running {
 public:
  explicit Running(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"serve", "-t", "1"};
    if (std::find(more.begin(), more.end(), "-m") == more.end())
      arguments.insert(arguments.end(), {"-m", test::tiny()});
    if (std::find(more.begin(), more.end(), "--port") == more.end())
      arguments.insert(arguments.end(), {"--port", "0"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    child_ = test::start(arguments, {}, streams_);
    wait_until_ready();
  }
  ~Running() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      test::wait_for(child_, kSeconds);
    }
  }

  int port() const {
    const std::string out = this->out();
    const size_t colon = out.rfind(':');
    return colon == std::string::npos ? 0 : std::atoi(out.c_str() + colon + 1);
  }
  std::string out() const { return test::read_bytes(streams_.file("out")); }
  std::string err() const { return test::read_bytes(streams_.file("err")); }
  pid_t child() const { return child_; }
  void signal(int number) const { ::kill(child_, number); }
  int end() {
    const int code = test::wait_for(child_, kSeconds);
    child_ = -1;
    return code;
  }
  std::string ask(const std::string& method, const std::string& path, const std::string& body = {},
                  const std::string& headers = {}) const {
    Connection connection(port());
    connection.send(method, path, body, headers);
    return connection.all();
  }

 private:
  void wait_until_ready() {
    for (int i = 0; i < 100 * kSeconds && out().find('\n') == std::string::npos; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_NE(out().find('\n'), std::string::npos) << err();
  }
  TempDir streams_;
  pid_t child_ = -1;
};

std::string question(const std::string& fields = R"("max_tokens":4)") {
  return R"({"messages":[{"role":"user","content":"Hi"}],)" + fields + "}";
}
const std::string kEndless =
    question(R"("max_tokens":-1,"ignore_eos":true,"stream":true,"skip_special_tokens":false)");
constexpr const char* kChat = "/v1/chat/completions";

TEST(Serve, AnswersAsRunDoes) {
  Running server;
  EXPECT_THAT(server.out(), testing::MatchesRegex("http://127.0.0.1:[0-9]+\n"));
  EXPECT_THAT(server.ask("GET", "/health"), HasSubstr("{\"status\":\"ok\"}"));
  const std::string reply = server.ask("POST", kChat, question());
  const Finished run = test::galago({"run", "-m", test::tiny(), "-p", "Hi", "-n", "4"});
  const auto json = test::Json::parse(reply.substr(reply.find("\r\n\r\n") + 4));
  EXPECT_EQ(json["choices"][0]["message"]["content"].get<std::string>() + "\n", run.out);
  EXPECT_THAT(server.ask("GET", "/"), HasSubstr("<!doctype html>"));
  server.signal(SIGTERM);  // a request's line may follow its answer; all are written at the end
  EXPECT_EQ(server.end(), 0);
  EXPECT_THAT(server.err(), HasSubstr("POST /v1/chat/completions 200"));
}

TEST(Serve, APredictionThatIsRightChangesTimeAlone) {
  Running server;
  const auto ask = [&](const std::string& fields) {
    const std::string reply = server.ask(
        "POST", kChat, question(R"("max_tokens":200,"ignore_eos":true,"cache_prompt":false)" + fields));
    return test::Json::parse(reply.substr(reply.find("\r\n\r\n") + 4));
  };
  const auto plain = ask("");
  const std::string said = plain["choices"][0]["message"]["content"];
  const auto predicted = ask(R"(,"prediction":{"type":"content","content":)" + test::Json(said).dump() + "}");
  EXPECT_EQ(predicted["choices"], plain["choices"]);
  EXPECT_GT(predicted["usage"]["completion_tokens_details"]["accepted_prediction_tokens"], 0) << predicted;
  EXPECT_EQ(ask(R"(,"prediction":{"type":"content","content":"Nothing of it."})")["choices"],
            plain["choices"]);
}

TEST(Serve, SigtermLetsAnswersEnd) {
  Running server;
  Connection answering(server.port());
  answering.send("POST", kChat, kEndless);
  std::string text = answering.some();
  server.signal(SIGTERM);
  text += answering.all();
  EXPECT_THAT(text, HasSubstr("data: [DONE]\n\n"));
  EXPECT_THAT(text, HasSubstr("\"finish_reason\":\"length\""));
  EXPECT_EQ(server.end(), 0) << server.err();
}

TEST(Serve, AfterTheDrainTimeoutStreamsEndWithAnError) {
  Running server({"-m", std::string(GALAGO_SOURCE_DIR) + "/models/demo", "--drain-timeout", "0.05"});
  std::vector<std::unique_ptr<Connection>> many;
  for (int i = 0; i < 32; ++i) {
    many.push_back(std::make_unique<Connection>(server.port()));
    many.back()->send("POST", kChat, kEndless);
  }
  many[0]->some();
  server.signal(SIGINT);
  size_t errors = 0;
  for (const auto& one : many) {
    const std::string text = one->all();
    EXPECT_TRUE(text.ends_with("0\r\n\r\n") || text.find("503") != std::string::npos) << text;
    errors += text.find("shutting_down") != std::string::npos;
  }
  EXPECT_GT(errors, 0U);
  EXPECT_EQ(server.end(), 0);
}

TEST(Serve, ASecondSignalEndsAtOnce) {
  Running server({"-m", std::string(GALAGO_SOURCE_DIR) + "/models/demo"});
  std::vector<std::unique_ptr<Connection>> many;  // enough work for seconds
  for (int i = 0; i < 32; ++i) {
    many.push_back(std::make_unique<Connection>(server.port()));
    many.back()->send("POST", kChat, kEndless);
  }
  many[0]->some();
  server.signal(SIGTERM);
  for (int i = 0; i < 1000 && server.err().find("ending") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  server.signal(SIGTERM);
  EXPECT_EQ(server.end(), -1);  // by the signal
}

TEST(Serve, PortsThatAreTakenAndModelsThatAreNot) {
  const Running server;
  const Finished taken = test::galago({"serve", "-m", test::tiny(), "--port", std::to_string(server.port())});
  EXPECT_EQ(taken.code, 69) << taken.err;
  EXPECT_THAT(taken.err, HasSubstr("127.0.0.1:" + std::to_string(server.port())));
  EXPECT_EQ(test::galago({"serve", "-m", "/nowhere", "--port", "0"}).code, 66);
  const TempDir broken;
  broken.add_copy_of(test::tiny());
  broken.add("config.json", "{");
  EXPECT_EQ(test::galago({"serve", "-m", broken.path().string(), "--port", "0"}).code, 78);
  EXPECT_EQ(test::galago({"serve", "-m", test::tiny(), "--host", "256.1.1.1", "--port", "0"}).code, 69);
  EXPECT_EQ(test::galago({"serve", "-m", test::tiny(), "--alias", "a", "--alias", "b", "--port", "0"}).code,
            64);
  EXPECT_EQ(test::galago({"serve", "-m", test::tiny(), "--port", "70000"}).code, 64);
  EXPECT_EQ(test::galago({"serve", "-m", test::tiny(), "--ssl-cert-file", "a.pem"}).code, 64);
  EXPECT_EQ(test::galago({"serve", "-m", test::tiny(), "--port", "0", "--api-key", ","}).code, 64);
}

TEST(Serve, TakesItsFlagsFromTheEnvironment) {
  ::setenv("GALAGO_MODEL", test::tiny().c_str(), 1);
  ::setenv("GALAGO_API_KEY", "one,two", 1);
  ::setenv("GALAGO_MAX_N", "2", 1);
  ::setenv("GALAGO_LOG_JSON", "1", 1);
  Running server({"-m", test::tiny(), "--alias", "a,b"});
  for (const char* name : {"GALAGO_MODEL", "GALAGO_API_KEY", "GALAGO_MAX_N", "GALAGO_LOG_JSON"})
    ::unsetenv(name);
  EXPECT_THAT(server.ask("POST", kChat, question()), HasSubstr("401"));
  const std::string key = "Authorization: Bearer two\r\n";
  EXPECT_THAT(server.ask("GET", "/v1/models", "", key), HasSubstr("\"id\":\"b\""));
  EXPECT_THAT(server.ask("POST", kChat, question(R"("n":3)"), key), HasSubstr("from 1 to 2"));
  EXPECT_THAT(server.ask("POST", kChat, question(), key), HasSubstr("\"model\":\"a\""));
  server.signal(SIGTERM);
  EXPECT_EQ(server.end(), 0);
  std::istringstream lines(server.err());
  size_t objects = 0;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("{")) objects += test::Json::parse(line).contains("status");
  EXPECT_EQ(objects, 4U) << server.err();
}

TEST(Serve, WarnsOfAnOpenAddressAndOfVariablesThatAreNone) {
  const auto said = [](const std::vector<std::string>& more) {
    Running server(more);
    server.signal(SIGTERM);
    EXPECT_EQ(server.end(), 0);
    return server.err();
  };
  const std::string open = "galago: warning: whoever reaches 0.0.0.0 may ask";
  ::setenv("GALAGO_MAX_BODDY", "1MB", 1);
  EXPECT_THAT(said({"--host", "0.0.0.0"}),
              testing::AllOf(HasSubstr(open), HasSubstr("did you mean GALAGO_MAX_BODY?")));
  ::unsetenv("GALAGO_MAX_BODDY");
  EXPECT_THAT(said({"--host", "0.0.0.0", "--api-key", "k"}), Not(HasSubstr("warning")));
  EXPECT_THAT(said({}), Not(HasSubstr("warning")));
}

TEST(Serve, ListensOnALocalSocket) {
  const TempDir folder;
  const std::string file = folder.file("galago.sock");
  Running server({"--unix-socket", file});
  EXPECT_EQ(server.out(), "unix:" + file + "\n");
  Connection connection(file);
  connection.send("GET", "/health");
  EXPECT_THAT(connection.all(), HasSubstr("\"ok\""));
  server.signal(SIGTERM);
  EXPECT_EQ(server.end(), 0);
}

TEST(Serve, AnswersToNamesOfItsOwnAlone) {
  const Running server;
  Connection connection(server.port());
  connection.send("GET", "/v1/models", "", "", "evil.example");
  EXPECT_THAT(connection.all(), HasSubstr("host_not_allowed"));
}

}  // namespace
}  // namespace galago
