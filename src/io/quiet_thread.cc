// POSIX: the mask of the thread that starts another is inherited.
#include "io/quiet_thread.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace galago {

std::thread quiet_thread(std::function<void()> body) {
  sigset_t sent, before;
  sigfillset(&sent);
  // Blocked, these would end the process past every handler that a program has for them.
  for (const int raised : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&sent, raised);
  pthread_sigmask(SIG_SETMASK, &sent, &before);
  struct Restore {
    const sigset_t& mask;
    ~Restore() { pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
  } const restore{before};
  return std::thread(std::move(body));
}

}  // namespace galago
