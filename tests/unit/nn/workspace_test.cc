// Scratch memory: given back by scope, kept for the next pass, counted.
#include "kernels/workspace.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "galago/error.h"
#include "io/process_memory.h"
#include "support/devices.h"

namespace galago {
namespace {

TEST(Workspace, GivesBackByScopeAndStopsGrowing) {
  Workspace workspace(test::device());
  for (int round = 0; round < 3; ++round) {
    Workspace::Frame frame(workspace);
    const Matrix a = workspace.matrix(100, 1000);
    Matrix b;
    {
      Workspace::Frame inner(workspace);
      b = workspace.matrix(50, 64);
    }
    const Matrix c = workspace.matrix(50, 64);
    EXPECT_EQ(b.data, c.data);
    EXPECT_NE(a.data, c.data);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(c.data) % 64, 0u);
  }
  const int64_t after_first = workspace.bytes();
  {
    Workspace::Frame frame(workspace);
    workspace.matrix(100, 1000);
  }
  EXPECT_EQ(workspace.bytes(), after_first);
  workspace.give_back();
  EXPECT_EQ(workspace.bytes(), 0);
  const Workspace::Frame again(workspace);
  EXPECT_EQ(workspace.matrix(100, 1000).rows, 100);
}

TEST(Workspace, KnowsTheMostThatWasTakenAtOnce) {
  Workspace workspace(test::device());
  {
    Workspace::Frame frame(workspace);
    workspace.matrix(1, 1000 * 16);
    for (const int64_t floats : {2000 * 16, 500 * 16}) {  // one after the other
      Workspace::Frame inner(workspace);
      workspace.matrix(1, floats);
    }
    workspace.matrix(100, 16);
  }
  EXPECT_EQ(workspace.most_bytes(), 3000 * 16 * 4);
  Workspace::Frame frame(workspace);
  workspace.matrix(1, int64_t{1} << 25);  // a chunk of its own
  workspace.matrix(1, 16);
  EXPECT_EQ(workspace.most_bytes(), ((int64_t{1} << 25) + 16) * 4);
}

TEST(Workspace, TakesNoMemoryForWhatIsNotUsed) {
  const int64_t before = resident_memory();
  Workspace workspace(test::device());
  const Matrix small = workspace.matrix(1, 1 << 18);
  std::fill_n(small.data, small.cols, 1.0F);
  EXPECT_GE(workspace.bytes(), int64_t{64} << 20);
  EXPECT_LT(resident_memory(), before + (int64_t{16} << 20));
}

TEST(Workspace, RefusesWhatCannotBeHeld) {
  Workspace workspace(test::device());
  EXPECT_THROW(workspace.matrix(int64_t{1} << 40, int64_t{1} << 40), Error);
}

}  // namespace
}  // namespace galago
