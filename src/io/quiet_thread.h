// Threads of the library's own. In: a function. Out: it runs on a thread that no signal of the program's is
// delivered to, but for those that an instruction raises.
#pragma once

#include <functional>
#include <thread>

namespace galago {

/// std::system_error when there is no thread to be had.
std::thread quiet_thread(std::function<void()> body);

}  // namespace galago
