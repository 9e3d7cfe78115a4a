// SPDX-License-Identifier: MIT
#include "tests/support/backlog.hpp"

#include <batchwright/detail/lane_agenda.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace {

using batchwright::Duration;
using batchwright::kNever;
using batchwright::kNoCount;
using batchwright::TimePoint;
using batchwright::detail::Flow;
using batchwright::detail::Lane;
using batchwright::detail::Tenant;
using batchwright_test::BacklogRig;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

/// Lanes of one tenant, by letters. A lane is found to wait until `alarms` says, or for ever; one that
/// `due` names is due.
class Lanes {
 public:
  Lanes() : rig_({.executors = 2, .keyed_lanes = true}) {}

  Lane& lane(char name) { return lanes_[name]; }

  batchwright_test::NamedHeader& enter(char name, int priority = 0) {
    Flow*& flow = flows_[name];
    if (flow == nullptr) flow = &rig_.flow(tenant_, lanes_[name]);
    return rig_.enter(std::string(1, name), priority, 1, flow);
  }

  /// The lanes that are judged at this instant.
  std::string look(std::int64_t tick, std::size_t occupied = kNoCount) {
    std::string judged;
    agenda().look(at(tick), open(occupied), [&](Lane& lane) {
      const char name = name_of(lane);
      judged += name;
      if (due.find(name) != std::string::npos) {
        agenda().put_due(lane);
      } else {
        const auto alarm = alarms.find(name);
        agenda().put_waiting(lane, alarm == alarms.end() ? kNever : at(alarm->second), missing,
                             restless.find(name) != std::string::npos);
      }
    });
    return judged;
  }

  std::string first(std::size_t occupied = kNoCount) {
    const Lane* const lane = agenda().first(rig_.order, open(occupied));
    return lane == nullptr ? "none" : std::string(1, name_of(*lane));
  }

  std::string oldest(std::size_t occupied = kNoCount) {
    const Lane* const lane = agenda().oldest(open(occupied));
    return lane == nullptr ? "none" : std::string(1, name_of(*lane));
  }

  TimePoint earliest(std::size_t occupied = kNoCount) { return agenda().earliest(open(occupied)); }

  batchwright::detail::LaneAgenda& agenda() { return rig_.backlog.agenda(); }
  batchwright::detail::Backlog& backlog() { return rig_.backlog; }

  std::string due;
  std::string restless;
  std::size_t missing = 1;
  std::map<char, std::int64_t> alarms;

 private:
  struct Open {
    std::size_t occupied;
    bool operator()(std::size_t executor) const { return executor != occupied; }
  };
  static Open open(std::size_t occupied) { return {occupied}; }

  char name_of(const Lane& lane) const {
    for (const auto& [name, known] : lanes_) {
      if (&known == &lane) return name;
    }
    return '?';
  }

  BacklogRig rig_;
  Tenant tenant_;
  std::map<char, Lane> lanes_;
  std::map<char, Flow*> flows_;
};

TEST(LaneAgenda, ALaneIsJudgedWhenItHasChanged) {
  Lanes lanes;
  auto& request = lanes.enter('a');
  lanes.enter('b');
  EXPECT_EQ(lanes.look(0), "ab");
  EXPECT_EQ(lanes.look(0), "");
  lanes.enter('b');
  EXPECT_EQ(lanes.look(0), "b");
  lanes.enter('a');
  EXPECT_EQ(lanes.look(0), "a");
  lanes.backlog().withdraw(request);
  EXPECT_EQ(lanes.look(0), "a");
  EXPECT_EQ(lanes.look(0), "");
}

TEST(LaneAgenda, ALaneIsJudgedWhenItsInstantHasCome) {
  Lanes lanes;
  lanes.alarms = {{'a', 9}, {'b', 5}};
  for (const char name : {'a', 'b', 'c'}) lanes.enter(name);
  EXPECT_EQ(lanes.look(0), "abc");
  EXPECT_EQ(lanes.earliest(), at(5));
  EXPECT_EQ(lanes.look(4), "");
  lanes.due = "b";
  EXPECT_EQ(lanes.look(5), "b");
  EXPECT_EQ(lanes.earliest(), at(9));
  lanes.due = "ab";
  EXPECT_EQ(lanes.look(9), "a");
  EXPECT_EQ(lanes.earliest(), kNever);
}

TEST(LaneAgenda, AnInstantMovesWithTheVerdict) {
  Lanes lanes;
  lanes.alarms = {{'a', 9}};
  lanes.enter('a');
  lanes.look(0);
  lanes.alarms['a'] = 4;
  lanes.enter('a');
  lanes.look(0);
  EXPECT_EQ(lanes.earliest(), at(4));
  lanes.alarms.clear();
  lanes.enter('a');
  lanes.look(0);
  EXPECT_EQ(lanes.earliest(), kNever);
}

TEST(LaneAgenda, ARestlessLaneIsJudgedAtEachLookUntilItIsDue) {
  Lanes lanes;
  lanes.restless = "a";
  lanes.enter('a');
  lanes.enter('b');
  EXPECT_EQ(lanes.look(0), "ab");
  EXPECT_EQ(lanes.look(0), "a");
  lanes.due = "a";
  EXPECT_EQ(lanes.look(0), "a");
  EXPECT_EQ(lanes.look(0), "");
}

TEST(LaneAgenda, ADueLaneIsNotJudgedBeforeItsTurn) {
  Lanes lanes;
  lanes.due = "ab";
  lanes.enter('a');
  lanes.enter('b');
  lanes.look(0);
  lanes.enter('b', 3);
  EXPECT_EQ(lanes.look(0), "");
  EXPECT_EQ(lanes.first(), "b");  // Its turn is by its new head.
}

TEST(LaneAgenda, ALaneTellsHowMuchMayComeUntilItIsJudgedAgain) {
  Lanes lanes;
  auto comes = [&, inbox = std::uint64_t{0}](char name) mutable {
    batchwright::detail::RequestHeader request;
    return lanes.lane(name).quota.draw(request, ++inbox);
  };
  EXPECT_TRUE(comes('a'));  // Of a lane that is empty the first.
  auto& first = lanes.enter('a');
  EXPECT_FALSE(comes('a'));  // It is to be judged anyway.
  lanes.look(0);
  EXPECT_TRUE(comes('a'));
  lanes.missing = 2;
  auto& second = lanes.enter('a');
  lanes.look(0);
  EXPECT_FALSE(comes('a'));
  lanes.due = "a";
  lanes.enter('a');
  lanes.look(0);
  EXPECT_FALSE(comes('a'));  // It waits for its executor alone.
  lanes.due = "";
  lanes.backlog().withdraw(first);
  lanes.backlog().withdraw(second);
  EXPECT_FALSE(comes('a'));
  lanes.backlog().withdraw(*lanes.backlog().first_lane()->flows.front()->front());
  EXPECT_TRUE(comes('a'));
}

TEST(LaneAgenda, ADueLaneThatIsFoundToWaitLeavesTheOrder) {
  Lanes lanes;
  lanes.due = "ab";
  lanes.enter('a');
  lanes.enter('b');
  lanes.look(0);
  EXPECT_EQ(lanes.first(), "a");
  lanes.agenda().put_waiting(lanes.lane('a'), at(7), 1, false);
  EXPECT_EQ(lanes.first(), "b");
  EXPECT_EQ(lanes.earliest(), at(7));
  lanes.enter('a');
  EXPECT_EQ(lanes.look(0), "a");
}

TEST(LaneAgenda, TheTurnOfADueLaneIsByTheHeadThatIsLeft) {
  Lanes lanes;
  lanes.due = "ab";
  auto& head = lanes.enter('a', 9);
  lanes.enter('b', 5);
  lanes.enter('a', 1);
  lanes.look(0);
  EXPECT_EQ(lanes.first(), "a");
  lanes.backlog().withdraw(head);
  EXPECT_EQ(lanes.first(), "b");
}

TEST(LaneAgenda, TheTurnOfADueLaneMovesWhenItsHeadIsDelayed) {
  Lanes lanes;
  lanes.due = "ab";
  auto& head = lanes.enter('a');
  lanes.enter('b');
  lanes.look(0);
  lanes.backlog().delay(head);
  EXPECT_EQ(lanes.first(), "b");
}

TEST(LaneAgenda, ALaneThatIsEmptyIsForgotten) {
  Lanes lanes;
  lanes.due = "a";
  lanes.alarms = {{'b', 5}};
  auto& a = lanes.enter('a');
  auto& b = lanes.enter('b');
  lanes.look(0);
  auto& c = lanes.enter('c');
  for (auto* request : {&a, &b, &c}) lanes.backlog().withdraw(*request);
  EXPECT_EQ(lanes.look(9), "");
  EXPECT_EQ(lanes.first(), "none");
  EXPECT_EQ(lanes.earliest(), kNever);
  lanes.enter('a');
  EXPECT_EQ(lanes.look(9), "a");
}

TEST(LaneAgenda, TheOldestLaneIsFoundAmongThoseWhoseExecutorIsOpen) {
  Lanes lanes;
  EXPECT_EQ(lanes.oldest(), "none");
  lanes.lane('a').executor = 0;
  lanes.lane('b').executor = 1;
  auto& first = lanes.enter('a');
  lanes.enter('b');
  auto& last = lanes.enter('c');
  lanes.enter('a');
  EXPECT_EQ(lanes.oldest(), "a");
  EXPECT_EQ(lanes.oldest(0), "b");
  lanes.backlog().withdraw(first);
  EXPECT_EQ(lanes.oldest(), "b");
  EXPECT_EQ(lanes.oldest(1), "c");
  lanes.backlog().withdraw(last);
  EXPECT_EQ(lanes.oldest(1), "a");
}

TEST(LaneAgenda, AFlushMakesEveryWaitingLaneJudgedAnew) {
  Lanes lanes;
  lanes.due = "b";
  for (const char name : {'a', 'b', 'c'}) lanes.enter(name);
  lanes.look(0);
  lanes.backlog().flush();
  EXPECT_EQ(lanes.look(0), "ac");
}

TEST(LaneAgenda, LanesOfAnOccupiedExecutorAreLeftAlone) {
  Lanes lanes;
  lanes.lane('a').executor = 0;
  lanes.lane('b').executor = 1;
  lanes.alarms = {{'a', 3}, {'b', 5}};
  lanes.enter('a');
  lanes.enter('b');
  EXPECT_EQ(lanes.look(0, 0), "b");
  EXPECT_EQ(lanes.look(0), "a");
  EXPECT_EQ(lanes.earliest(0), at(5));
  EXPECT_EQ(lanes.look(3, 0), "");
  lanes.due = "ab";
  EXPECT_EQ(lanes.look(5), "ab");
  EXPECT_EQ(lanes.first(0), "b");
  EXPECT_EQ(lanes.first(), "a");
}

}  // namespace
