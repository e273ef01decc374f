// 结构面板的文字与说明。

export const words = {
  zh: {
    widget: "SAE 结构面板",
    tokens: "选择一个词元",
    token: "词元 {i}：{text}",
    stages: {
      input: "激活向量 x",
      up: "编码：升维",
      active: "激活的特征",
      down: "解码：降维",
      error: "误差",
    },
    input: "模型在这个词元处的 {d} 个数。",
    up: "{n} 个预激活值，按大小排列。橙色的超过了阈值。",
    active: "单击可选中特征。没有标签的，显示它最促进的词元。",
    down: "各部分之和，再加一个偏移。",
    error: "x − x̂，未能解释的部分：占方差的 {share}。",
    feature: "特征",
    activation: "激活值",
    part: "其部分的长度",
    unnamed: "无标签",
    more: "还有 {n} 个",
    none: "没有特征激活：重建结果只有偏移。",
    length: "长度 {value}",
    kept: "{n} 个中的 {k} 个",
    check: "各部分之和与解码器输出之差：至多 {value}",
    curve: "{n} 个预激活值，从 {high} 到 {low}；{k} 个通过",
  },
};

export const notes = {
  zh: [
    {
      at: ".saew-picks",
      say: "文本的词元。选择一个，图中就显示 SAE 如何处理它的激活向量。",
    },
    {
      at: ".saew-stages > :first-child",
      say: "x：残差流中的激活向量，每个数一个方格。",
    },
    {
      at: ".saew-stages > :nth-child(2)",
      say: "编码：每个特征一个阈值之前的值，按大小排列。只有标出的能通过。",
    },
    {
      at: ".saew-stages > :nth-child(3)",
      say: "激活的特征：各自的激活值，以及它所添加的那一部分的长度。",
    },
    {
      at: ".saew-stages > :nth-child(4)",
      say: "解码：各部分加在一起，就是重建结果。",
    },
    {
      at: ".saew-stages > :last-child",
      say: "误差：SAE 未能解释的部分。",
    },
  ],
};
