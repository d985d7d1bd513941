// Ten thousand schedules with a clock and a model that are not real: requests arrive, are cancelled, time
// out, fail, find slow readers, too little memory and pages that earlier ones left, which another scheduler
// may hold. Every one ends once, is told each piece once, and says what it says alone; nobody waits for ever,
// memory stays in its bounds, and no page stays behind. A seed that fails is in the message.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "fakes.h"
#include "runtime/scheduler_loop.h"

namespace galago {
namespace {

using fakes::FakeWork;
using fakes::HashModel;
using fakes::kPage;
using fakes::kPageBytes;

constexpr double kNever = 1e9;

/// A HashModel whose sequences share full pages with those before them, and whose calls fail now and then.
class SharingModel final : public HashModel {
 public:
  SharingModel(std::mt19937& random, bool keeps, int faults)
      : HashModel(100), random_(random), keeps_(keeps), faults_(faults) {}

  int64_t bytes_in_use() const override { return *pages_ * kPageBytes; }
  int64_t drop_kept(int64_t bytes) override {
    int64_t freed = 0;
    for (auto one = kept_.begin(); one != kept_.end() && freed < bytes;)
      if (one->second.page.use_count() == 1 && !foreign_.contains(one->second.page)) {
        one = kept_.erase(one);
        freed += kPageBytes;
      } else {
        ++one;
      }
    return freed;
  }
  OpenSequence open(const PromptContent& prompt) override {
    fail_sometimes();
    const OpenSequence opened = HashModel::open(prompt);
    Sequence& own = sequences_[opened.number];
    own.ids.assign(prompt.ids.begin(), prompt.ids.end());
    for (int64_t rows = kPage; rows < std::ssize(prompt.ids); rows += kPage) {
      const auto known = kept_.find({prompt.ids.begin(), prompt.ids.begin() + rows});
      if (known == kept_.end()) break;
      own.pages.push_back(known->second.page);
      begin(opened.number, known->second.hash, rows);
    }
    return {.number = opened.number, .cached = std::ssize(own.pages) * kPage};
  }
  int32_t fork(int32_t sequence) override {
    fail_sometimes();
    const int32_t number = HashModel::fork(sequence);
    const Sequence copied = sequences_.at(sequence);
    sequences_[number] = copied;
    return number;
  }
  void grow(int32_t sequence, int64_t positions) override {
    fail_sometimes();
    HashModel::grow(sequence, positions);
    auto& pages = sequences_.at(sequence).pages;
    // The next row goes into a page of its own.
    if (const auto next = static_cast<size_t>(rows_of(sequence) / kPage);
        rows_of(sequence) % kPage != 0 && next < pages.size() && pages[next].use_count() > 1)
      pages[next] = new_page();
    while (std::ssize(pages) < page_sizes().pages(positions)) pages.push_back(new_page());
  }
  void close(int32_t sequence) override {
    HashModel::close(sequence);
    sequences_.erase(sequence);
  }
  using HashModel::prefill;
  std::span<const float> prefill(int32_t sequence, ConstMatrix given) override {
    fail_sometimes();
    const auto logits = HashModel::prefill(sequence, given);
    const Sequence& own = sequences_.at(sequence);
    if (const int64_t rows = rows_of(sequence); keeps_ && rows % kPage == 0)
      kept_.try_emplace({own.ids.begin(), own.ids.begin() + rows},
                        Kept{own.pages[static_cast<size_t>(rows / kPage - 1)], hash_of(sequence)});
    return logits;
  }
  ConstMatrix decode(std::span<const NextToken> tokens) override {
    fail_sometimes();
    return HashModel::decode(tokens);
  }
  /// Another scheduler's requests hold some of what is kept, or let go of it.
  void hold_some() {
    foreign_.clear();
    for (const auto& [ids, kept] : kept_)
      if (random_() % 4 == 0) foreign_.insert(kept.page);
  }
  int64_t foreign_bytes() const { return std::ssize(foreign_) * kPageBytes; }
  void forget_all() {
    foreign_.clear();
    kept_.clear();
  }

 private:
  using Page = std::shared_ptr<int>;
  struct Sequence {
    std::vector<int32_t> ids;
    std::vector<Page> pages;
  };
  struct Kept {
    Page page;
    uint64_t hash;
  };

  Page new_page() {
    ++*pages_;
    return {new int, [count = pages_](const int* page) {
              --*count;
              delete page;
            }};
  }
  void fail_sometimes() {
    if (faults_ > 0 && random_() % 1000 < static_cast<unsigned>(faults_))
      throw Error(ErrorCode::resource, {"the fake", "", "", ""});
  }

  std::mt19937& random_;
  const bool keeps_;
  const int faults_;  // of a thousand calls
  std::shared_ptr<int64_t> pages_ = std::make_shared<int64_t>(0);
  std::map<int32_t, Sequence> sequences_;
  std::map<std::vector<int32_t>, Kept> kept_;
  std::set<Page> foreign_;
};

/// What a simulated request does, all of it decided beforehand.
struct Plan {
  int64_t length = 1, number = 0, bytes = 0;
  GenerateOptions options;
  Turn turn;
  int pieces = 0;     // of its pictures
  int fails_at = -1;  // that piece of its pictures
  double arrives = 0, cancelled_at = -1;
  int slow_every = 0;            // its reader takes no more after so many pieces, for a while
  std::shared_ptr<int> group{};  // several answers to one prompt
};

Plan some_plan(std::mt19937& random, double now) {
  const auto below = [&](unsigned n) { return static_cast<int>(random() % n); };
  Plan plan{.length = 1 + below(14), .number = below(20), .bytes = below(3) * 20, .options = {}, .turn = {}};
  plan.options.max_new_tokens = 1 + below(24);
  if (below(3) == 0) {
    plan.options.temperature = 1;
    plan.options.seed = static_cast<uint64_t>(below(5));
  }
  if (below(3) == 0) plan.options.stop = {"AB", "K"};
  plan.options.prefill_chunk = below(4) * 2;
  plan.arrives = now + below(120);
  plan.turn.priority = below(8) == 0 ? 1 - below(3) : 0;
  if (below(10) == 0) plan.turn.deadline = plan.arrives + below(200);
  if (below(3) == 0) plan.pieces = below(6);
  if (below(25) == 0) plan.fails_at = below(4);
  if (below(8) == 0) plan.cancelled_at = plan.arrives + below(150);
  if (below(6) == 0) plan.slow_every = 1 + below(5);
  return plan;
}

class SimulatedWork final : public FakeWork {
 public:
  SimulatedWork(const Plan& plan, double& now, std::mt19937& random)
      : FakeWork(fakes::fake_ids(plan.length, plan.number), fakes::fake_rows(plan.length, plan.number),
                 plan.options),
        plan_(plan),
        now_(now),
        random_(random) {
    turn_ = plan.turn;
    group = plan.group.get();
    other_bytes = plan.bytes;
    on_piece = [this](const StreamPiece&) {
      if (plan_.slow_every > 0 && ++told_ % plan_.slow_every == 0) {
        room = false;
        awake_at_ = now_ + 1 + static_cast<double>(random_() % 60);
      }
      return true;
    };
  }
  void start() override {
    EXPECT_FALSE(std::exchange(holds_, true));
    encoded_ = 0;
  }
  void release() override { holds_ = false; }
  void end(Generation generation) override {
    holds_ = false;
    FakeWork::end(std::move(generation));
  }
  void fail(std::exception_ptr fault) override {
    holds_ = false;
    FakeWork::fail(std::move(fault));
  }
  int64_t held_bytes() const { return holds_ ? plan_.bytes : 0; }
  Encoding encode() override {
    if (encoded_ == plan_.pieces) return Encoding::done;
    if (now_ < ready_at_) return Encoding::waiting;
    if (random_() % 4 == 0) {
      ready_at_ = now_ + 1 + static_cast<double>(random_() % 9);
      return Encoding::waiting;
    }
    if (encoded_ == plan_.fails_at) throw Error(ErrorCode::input_invalid, {"a picture", "", "", ""});
    ++encoded_;
    now_ += 5;
    return Encoding::more;
  }
  // What time alone changes.
  void live() {
    if (plan_.cancelled_at >= 0 && now_ >= plan_.cancelled_at) cancel = true;
    if (now_ >= awake_at_) room = true;
  }
  const Plan& plan() const { return plan_; }
  // When time alone changes something next; none: never.
  double next_event() const {
    double next = kNever;
    for (const double at : {plan_.cancelled_at, awake_at_, ready_at_, turn_.deadline})
      if (endings == 0 && at > now_) next = std::min(next, at);
    return next;
  }

 private:
  Plan plan_;
  double& now_;
  std::mt19937& random_;
  int encoded_ = 0;
  bool holds_ = false;  // memory beside keys and values
  int64_t told_ = 0;
  double awake_at_ = 0, ready_at_ = 0;
};

// What a plan's prompt says alone, whatever its clock does.
const Generation& alone(const Plan& plan) {
  static std::map<std::string, Generation> known;
  const auto& options = plan.options;
  const std::string key = std::to_string(plan.length) + " " + std::to_string(plan.number) + " " +
                          std::to_string(*options.max_new_tokens) + " " +
                          std::to_string(options.temperature) + " " + std::to_string(options.seed) + " " +
                          std::to_string(options.stop.size()) + " " + std::to_string(options.prefill_chunk);
  const auto [place, fresh] = known.try_emplace(key);
  if (fresh) {
    HashModel model(100);
    SchedulerLoop loop(model, {.sequences = 1}, [] { return 0.0; });
    const auto work = fakes::fake_work(plan.length, plan.number, options);
    loop.add(work);
    while (loop.step()) {
    }
    place->second = work->generation();
  }
  return place->second;
}

void check_end(const SimulatedWork& work, bool faults, const std::string& what) {
  const Generation& whole = alone(work.plan());
  ASSERT_EQ(work.endings, 1) << what;
  if (work.error) {
    const ErrorCode code = fakes::error_of([&] { std::rethrow_exception(work.error); }).code();
    EXPECT_TRUE(code == ErrorCode::timeout    ? work.plan().turn.deadline >= 0
                : code == ErrorCode::resource ? faults
                                              : work.plan().fails_at >= 0)
        << what;
    EXPECT_TRUE(whole.text.starts_with(work.streamed)) << what;
    return;
  }
  const Generation& said = work.generation();
  EXPECT_EQ(said.text, work.streamed) << what;
  if (said.finish_reason == FinishReason::cancelled) {
    EXPECT_TRUE(work.cancel) << what;
    EXPECT_TRUE(whole.text.starts_with(said.text)) << what;
  } else {
    EXPECT_EQ(said.text, whole.text) << what;
    EXPECT_EQ(said.token_ids, whole.token_ids) << what;
    EXPECT_EQ(said.finish_reason, whole.finish_reason) << what;
  }
}

void simulate(unsigned seed) {
  std::mt19937 random(seed);
  const std::string what = "seed " + std::to_string(seed);
  double now = 0;
  const bool keeps = random() % 2 == 0;
  const int faults = random() % 4 == 0 ? 4 : 0;
  SharingModel model(random, keeps, faults);
  const LoopLimits limits{.sequences = 1 + static_cast<int64_t>(random() % 6),
                          .memory_bytes = random() % 3 == 0 ? 0 : 480 + static_cast<int64_t>(random() % 600),
                          .max_gap_ms = static_cast<double>(random() % 3) * 8,
                          .step_tokens = 1 + static_cast<int64_t>(random() % 12)};
  SchedulerLoop loop(model, limits, [&] { return now; });
  std::vector<Plan> plans;
  for (unsigned i = 0, count = 3 + random() % 14; i < count; ++i) plans.push_back(some_plan(random, 0));
  for (size_t i = 0, count = plans.size(); i < count; ++i) {
    if (random() % 6 != 0) continue;
    plans[i].group = std::make_shared<int>(0);
    for (unsigned more = 1 + random() % 3; more > 0; --more) {
      Plan other = plans[i];
      other.options.seed = more;
      if (random() % 4 == 0) other.cancelled_at = other.arrives + static_cast<double>(random() % 100);
      plans.push_back(std::move(other));
    }
  }
  std::ranges::sort(plans, {}, &Plan::arrives);
  std::vector<std::shared_ptr<SimulatedWork>> works;
  for (int rounds = 0; works.size() < plans.size() || loop.size() > 0; ++rounds) {
    ASSERT_LT(rounds, 20'000) << what << ": somebody waits for ever";
    while (works.size() < plans.size() && plans[works.size()].arrives <= now) {
      works.push_back(std::make_shared<SimulatedWork>(plans[works.size()], now, random));
      loop.add(works.back());
    }
    for (const auto& work : works) work->live();
    if (keeps && random() % 8 == 0) model.hold_some();
    if (loop.step()) {
      now += 1;
    } else {  // asleep until something happens
      double next = works.size() < plans.size() ? plans[works.size()].arrives : kNever;
      for (const auto& work : works) next = std::min(next, work->next_event());
      ASSERT_TRUE(next < kNever || loop.size() == 0) << what << ": asleep for ever";
      now = std::max(now + 0.5, next);
    }
    int64_t held = model.bytes_in_use() - model.foreign_bytes();
    for (const auto& work : works) held += work->held_bytes();
    if (limits.memory_bytes > 0) {
      ASSERT_LE(held, limits.memory_bytes) << what;
    }
  }
  for (size_t i = 0; i < works.size(); ++i)
    check_end(*works[i], faults > 0, what + ", request " + std::to_string(i));
  model.forget_all();
  EXPECT_EQ(model.open_now(), 0) << what;
  EXPECT_EQ(model.bytes_in_use(), 0) << what << ": pages are left";
}

#ifdef GALAGO_SANITIZED  // where each takes ten times as long
constexpr unsigned kSchedules = 1'000;
#else
constexpr unsigned kSchedules = 10'000;
#endif

TEST(SchedulerSimulation, TenThousandSchedulesLoseNothing) {
  const char* const asked = std::getenv("GALAGO_SIMULATIONS");  // for a longer try
  const unsigned count = asked ? static_cast<unsigned>(std::atoi(asked)) : kSchedules;
  for (unsigned seed = 0; seed < count && !testing::Test::HasFailure(); ++seed) simulate(seed);
}

}  // namespace
}  // namespace galago
