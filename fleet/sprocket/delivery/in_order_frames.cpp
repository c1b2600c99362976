// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <deque>

#include "delivery/kinds.hpp"

namespace particle::sprocket {
namespace {

/// Frames wait in `line_`, in order and without a gap; a window of `frames` of them moves on. Without
/// `frames` each item is a window of its own.
class InOrderFrames final : public DeliveryFunction {
 public:
  InOrderFrames(std::uint64_t frames, std::uint64_t context) : window_(frames), context_(context) {}

  Result<Deliveries> on_item(std::size_t /*port*/, const Item& item) override {
    if ((window_ != 0 || context_ != 0) && item.span != item.frames) {
      return fail(Error::of(Errc::conflict,
                            "in-order delivery of " + frames_text(item.first, item.span),
                            "frames were dropped upstream: windows and context need all of them"));
    }
    if (auto ok = seen_.insert(item); !ok) return fail(ok.error());
    Deliveries out;
    while (const Item* next = seen_.at(line_end_)) {
      line_.push_back(*next);
      line_end_ = next->end();
      while (next_ < line_end_ && (window_ == 0 || line_end_ - next_ >= window_)) {
        fire(window_ == 0 ? next->span : window_, out);
      }
    }
    return out;
  }

  Result<Deliveries> on_end() override {
    if (!seen_.items().empty() && seen_.items().rbegin()->second.end() != line_end_) {
      return fail(Error::of(
          Errc::conflict,
          "in-order delivery: frame " + std::to_string(line_end_) + " never came, later ones did"));
    }
    Deliveries out;
    if (next_ < line_end_) fire(line_end_ - next_, out);
    for (const Item& item : line_) out.let_go.push_back(item.id);
    line_.clear();
    return out;
  }

 private:
  void fire(std::uint64_t span, Deliveries& out) {
    Delivery delivery{.first = next_, .span = span};
    delivery.context = std::min(context_, next_);
    const std::uint64_t from = next_ - delivery.context;
    const std::uint64_t to = next_ + span;
    std::vector<Slice> slices;
    for (const Item& item : line_) {
      const std::uint64_t begin = std::max(item.first, from);
      const std::uint64_t end = std::min(item.end(), to);
      if (begin >= end) continue;
      // Items with dropped frames are only ever taken whole.
      const std::uint64_t frames = item.span == item.frames ? end - begin : item.frames;
      slices.push_back({item.id, begin - item.first, frames});
      delivery.frames += frames;
    }
    delivery.frames -= delivery.context;
    delivery.inputs.push_back(std::move(slices));
    out.fired.push_back(std::move(delivery));
    next_ = to;
    while (!line_.empty() && line_.front().end() + context_ <= next_) {
      out.let_go.push_back(line_.front().id);
      line_.pop_front();
    }
  }

  std::uint64_t window_;
  std::uint64_t context_;
  Timeline seen_;
  std::deque<Item> line_;
  std::uint64_t line_end_ = 0;
  std::uint64_t next_ = 0;
};

}  // namespace

std::unique_ptr<DeliveryFunction> make_in_order_frames(std::size_t /*ports*/,
                                                       const nlohmann::json& parameters) {
  return std::make_unique<InOrderFrames>(parameters.value("frames", std::uint64_t{0}),
                                         parameters.value("context", std::uint64_t{0}));
}

}  // namespace particle::sprocket
