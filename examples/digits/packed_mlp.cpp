// SPDX-License-Identifier: MIT
#include "packed_mlp.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

namespace digits {
namespace {

// The accumulators of a block, kMaxRows x kPanelVectors, must stay in registers together with a row of
// the panel and an input: 32 registers with AVX-512, 16 elsewhere. Two vectors a row and many rows take
// the fewest loads for each multiplication.
#if defined(__AVX512F__)
constexpr std::size_t kMaxRows = 8;
#else
constexpr std::size_t kMaxRows = 6;
#endif
constexpr std::size_t kPanelVectors = 2;
constexpr std::size_t kPanelWidth = kPanelVectors * kVectorWidth;

// Blocks of few rows take two panels at once, or their sums would wait for each other.
constexpr std::size_t panels_for(std::size_t rows) { return rows > 3 ? 1 : 2; }

}  // namespace

const char* vector_instructions() {
  return kVectorWidth == 16 ? "AVX-512" : kVectorWidth == 8 ? "AVX" : "128-bit vectors";
}

std::size_t PackedMlp::PackedLayer::padded_outputs() const { return panels * kPanelWidth; }

// A vector more than they need: at a distance of a page the rows of a block would share one set of the
// first-level cache.
std::size_t PackedMlp::PackedLayer::stride() const { return padded_outputs() + kVectorWidth; }

PackedMlp::PackedMlp(const Network& network) : scratch_width_(kPixels) {
  for (const Layer& layer : network) {
    layers_.push_back(pack(layer, &layer != &network.back()));
    scratch_width_ = std::max(scratch_width_, layers_.back().stride());
  }
}

PackedMlp::PackedLayer PackedMlp::pack(const Layer& layer, bool relu) {
  PackedLayer packed{layer.inputs, (layer.outputs + kPanelWidth - 1) / kPanelWidth, relu, {}, {}};
  packed.bias.resize(packed.panels * kPanelVectors);
  packed.weights.resize(packed.panels * layer.inputs * kPanelVectors);
  for (std::size_t column = 0; column < layer.outputs; ++column) {
    const std::size_t panel = column / kPanelWidth;
    const std::size_t vector = column % kPanelWidth / kVectorWidth;
    const std::size_t lane = column % kVectorWidth;
    packed.bias[panel * kPanelVectors + vector].value[lane] = layer.bias[column];
    Lane* const weights = &packed.weights[panel * layer.inputs * kPanelVectors + vector];
    for (std::size_t input = 0; input < layer.inputs; ++input) {
      weights[input * kPanelVectors].value[lane] = layer.weights[input * layer.outputs + column];
    }
  }
  return packed;
}

// The whole arithmetic: a block of kRows images times kPanels panels, which lie one after the other.
template <std::size_t kRows, std::size_t kPanels>
void PackedMlp::multiply_rows(const PackedLayer& layer, std::size_t panel, const float* from,
                              std::size_t from_stride, float* to) {
  constexpr std::size_t kVectors = kPanels * kPanelVectors;
  const std::size_t panel_size = layer.inputs * kPanelVectors;
  const Lane* weights = &layer.weights[panel * panel_size];
  Vector sums[kRows][kVectors];
  // Without these pragmas GCC keeps the loops at -O2, and with them the sums in memory.
#pragma GCC unroll 16
  for (std::size_t row = 0; row < kRows; ++row) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kVectors; ++v) {
      sums[row][v] = layer.bias[panel * kPanelVectors + v].value;
    }
  }
  for (std::size_t input = 0; input < layer.inputs; ++input, weights += kPanelVectors) {
#pragma GCC unroll 16
    for (std::size_t row = 0; row < kRows; ++row) {
      const float x = from[row * from_stride + input];
#pragma GCC unroll 16
      for (std::size_t v = 0; v < kVectors; ++v) {
        sums[row][v] += weights[v / kPanelVectors * panel_size + v % kPanelVectors].value * x;
      }
    }
  }
#pragma GCC unroll 16
  for (std::size_t row = 0; row < kRows; ++row) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kVectors; ++v) {
      const Vector sum = sums[row][v];
      const Vector result = layer.relu ? (sum > 0.0F ? sum : Vector{}) : sum;
      std::memcpy(to + row * layer.stride() + panel * kPanelWidth + v * kVectorWidth, &result,
                  sizeof(result));
    }
  }
}

void PackedMlp::multiply(const PackedLayer& layer, std::size_t rows, const float* from,
                         std::size_t from_stride, float* to) {
  using Kernel = void (*)(const PackedLayer&, std::size_t, const float*, std::size_t, float*);
  using Kernels = std::array<Kernel, kMaxRows>;
  static constexpr auto kOnePanel = []<std::size_t... kRows>(std::index_sequence<kRows...>) {
    return Kernels{multiply_rows<kRows + 1, 1>...};
  }(std::make_index_sequence<kMaxRows>());
  static constexpr auto kPanels = []<std::size_t... kRows>(std::index_sequence<kRows...>) {
    return Kernels{multiply_rows<kRows + 1, panels_for(kRows + 1)>...};
  }(std::make_index_sequence<kMaxRows>());

  // A panel stays in the second-level cache while all images pass it. Blocks of equal size waste
  // less than full ones and a small rest.
  const std::size_t blocks = (rows + kMaxRows - 1) / kMaxRows;
  for (std::size_t panel = 0; panel < layer.panels;) {
    const std::size_t wanted = blocks == 1 ? panels_for(rows) : 1;
    const std::size_t panels = std::min(wanted, layer.panels - panel);
    const Kernels& kernels = panels > 1 ? kPanels : kOnePanel;
    for (std::size_t block = 0; block < blocks; ++block) {
      const std::size_t begin = rows * block / blocks;
      const std::size_t end = rows * (block + 1) / blocks;
      kernels[end - begin - 1](layer, panel, from + begin * from_stride, from_stride,
                               to + begin * layer.stride());
    }
    panel += panels;
  }
}

void PackedMlp::predict(std::span<const Image> images, std::span<Prediction> predictions,
                        Scratch& scratch) const {
  assert(images.size() == predictions.size());
  const std::size_t needed = images.size() * scratch_width_;
  if (scratch.from.size() < needed) {
    scratch.from.resize(needed);
    scratch.to.resize(needed);
  }
  float* from = scratch.from.data();
  float* to = scratch.to.data();
  for (std::size_t i = 0; i < images.size(); ++i) {
    std::copy(images[i].begin(), images[i].end(), from + i * kPixels);
  }
  std::size_t stride = kPixels;
  for (const PackedLayer& layer : layers_) {
    multiply(layer, images.size(), from, stride, to);
    stride = layer.stride();
    std::swap(from, to);
  }
  for (std::size_t i = 0; i < images.size(); ++i) {
    predictions[i] = classify(std::span<const float, kClasses>(from + i * stride, kClasses));
  }
}

}  // namespace digits
