// Where a handler's threads and a connection's strand meet: what the one queued and the other has not sent.
// In: an Exchange's calls, from any thread. Out: what to send, taken by the connection, and calls of
// on_change.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/http/http.h"

namespace galago::http {

/// One answer. Both sides hold it; whoever is left is safe with what the other can no longer do.
class Answer {
 public:
  /// `wake` is called, from any thread, when there is something to take() that was not there before. It must
  /// only post.
  Answer(Request request, std::function<void()> wake);

  const Request& request() const { return request_; }

  // The handler's side: as Exchange says.
  void respond(Response response);
  void begin(Response head);
  void write(std::string bytes);
  void end();
  /// The handler has let go of its Exchange.
  void abandon();
  size_t pending() const { return pending_; }
  bool gone() const { return gone_; }
  /// Waits while a call of the one before is running on another thread, and holds no lock but its own.
  void on_change(std::function<void()> changed);

  // The connection's side, on its strand.
  struct Taken {
    std::optional<Response> head{};  ///< of respond() or begin()
    bool streams = false;            ///< that head was begin()'s
    std::vector<std::string> pieces{};
    bool ended = false;
    bool abandoned = false;  ///< ended without being complete
  };
  /// What came since the last call.
  Taken take();
  /// The socket took, or nobody wants, so many bytes of the pieces.
  void sent(size_t bytes);
  /// The connection is done with it. `gone`: before everything was sent.
  void leave(bool gone);

 private:
  enum class Phase { fresh, streaming, ended };

  void wake_locked();
  void call();

  const Request request_;
  std::atomic<size_t> pending_ = 0;
  std::atomic<bool> gone_ = false;

  std::mutex mutex_;  // what is below, up to the blank line
  std::function<void()> wake_;
  bool woken_ = false;
  Phase phase_ = Phase::fresh;
  bool above_ = false;  // pending_ was above half of kMostPending
  Taken taken_;

  std::recursive_mutex calls_;  // held while changed_ runs; taken before mutex_, never behind it
  std::shared_ptr<std::function<void()>> changed_;
};

/// What a handler gets: lets go of the answer when it is destroyed.
std::shared_ptr<Exchange> make_exchange(std::shared_ptr<Answer> answer);

}  // namespace galago::http
