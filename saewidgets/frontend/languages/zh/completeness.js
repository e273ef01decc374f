// 完备性实验台的文字与说明。

export const words = {
  zh: {
    widget: "完备性实验台",
    frequency: "按频率",
    frequencyNote:
      "每个点是一组频率相近的概念，曲线是 S 形函数，圆环处半数概念有特征，" +
      "虚线表示频率等于“1 ÷ 活特征数”。标记是各个概念：有特征的在上，没有的在下。",
    rescaled: "以活特征数计",
    rescaledNote:
      "同样的图，但每个频率乘以其 SAE 的活特征数：1 表示恰好均分。如果大小只以这种方式起作用，各条曲线就会重合。",
    losses:
      "用一条曲线描述所有 SAE 时，对每个概念的判断平均损失：按频率 {plain} nat，按频率乘以活特征数 {rescaled} nat" +
      "（抛硬币：0.693）。",
    chart: {
      label: "{n} 个 SAE 中有特征的概念所占比例，按概念的频率。",
      rescaledLabel: "同样的图，按频率乘以活特征数，{n} 个 SAE。",
      frequency: "占词元的比例",
      perFeature: "占词元的比例 × 活特征数",
      concepts: "概念",
      share: "有特征",
      range: "{share}（{low} 到 {high}）",
      of: "占词元",
      best: "最佳特征",
      f1: "#{feature}，F1 {f1}",
      half: "半数有特征之处",
      threshold: "1 / 活特征数",
    },
    saes: "各个 SAE",
    saeColumns: ["SAE", "活特征", "有特征的概念", "比例", "半数有特征之处", "1 / 活特征数"],
    someOf: "{of} 个中的 {n} 个",
    missing: "{sae} 中没有特征的概念：{n} 个",
    missingNote: "最常见的在前，各附其最佳特征的 F1。选择一个，可看它由什么组成。",
    there: "{sae} 中有特征的概念：{n} 个",
    madeOf: "{sae} 中“{name}”由什么组成",
    hasNone: "占词元的 {share}。它的最佳特征 #{feature} 的 F1 为 {f1}，低于 {bound}，因此它没有自己的特征。",
    hasOne: "占词元的 {share}。它的最佳特征 #{feature} 的 F1 为 {f1}。",
    noFeature: "占词元的 {share}。没有特征在其上激活。",
    notLooked: "“{name}”在这些文档中太少见，没有查找。",
    together: "合在一起",
    first: "#{feature}",
    with: "或 #{feature}",
    f1: "F1 {f1}",
    active: "在其上最常激活的特征",
    partColumns: ["特征", "占其词元", "占该特征激活之处", "平均激活值"],
    nothing: "无。",
    shows:
      "这里看不出：没有人标注过的概念；用“激活”之外的阈值能否更好地辨认一个概念；" +
      "辨认概念的特征是否也会写出这个概念。合在一起的特征是在同一批文本上选出并测量的，因此结果偏于乐观。",
    code: "相应的 Python 代码",
  },
};

export const notes = {
  zh: [
    {
      at: ".saew-whole-charts > :first-child .saew-chart",
      say: "右边常见的概念有特征，左边少见的没有。更大的 SAE 使曲线左移：更少见的概念也有了特征。",
    },
    {
      at: ".saew-whole-charts > :last-child .saew-chart",
      say: "不同大小的曲线是否合成一条？如果是，概念一旦常见到“值得”，就会得到一个特征。",
    },
    {
      at: ".saew-whole-saes",
      say: "选择一行，下面就列出这个 SAE 的概念。",
    },
    {
      at: ".saew-whole-made",
      say: "概念没有自己的特征时，由其他特征分担：每个只在它的一部分上激活，或者还在许多别的地方激活。",
    },
  ],
};
